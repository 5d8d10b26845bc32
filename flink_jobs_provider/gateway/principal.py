"""Who calls, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

#: In place of a cluster's key: every cluster.
EVERY_CLUSTER = "*"


class Role(StrEnum):
    """What a caller may do on a cluster; who may operate may read."""

    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True)
class Principal:
    """A caller who has shown who they are.

    Attributes:
        name: For the audit log: the token's name, or the subject of a JWT.
        roles: Role by cluster key (its id in lower case), or by `EVERY_CLUSTER`.
    """

    name: str
    roles: Mapping[str, Role]

    def may(self, role: Role, cluster: str) -> bool:
        """Whether the caller has a role on a cluster."""
        held = {self.roles.get(cluster), self.roles.get(EVERY_CLUSTER)}
        return Role.OPERATE in held or (role is Role.READ and Role.READ in held)
