"""Who looks at a page, in which language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from flink_jobs_provider.gateway.portal.addresses import Addresses
from flink_jobs_provider.gateway.portal.sessions import Cookies, Session
from flink_jobs_provider.gateway.portal.text import Text, preferred, text_of
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration

#: Keys of a scope.
SESSION = "portal_session"
LANGUAGE_COOKIE = "portal-language"


@dataclass(frozen=True)
class Visit:
    """Somebody who is signed in, and how they are spoken to.

    Attributes:
        session: Theirs.
        text: The phrases of their language.
        readable: The clusters whose jobs they may see.
        operable: Keys of the clusters on whose jobs they may act.
    """

    session: Session
    text: Text
    readable: Sequence[ClusterConfiguration]
    operable: frozenset[str]

    @property
    def name(self) -> str:
        """Their name, as the audit log has it."""
        return self.session.principal.name

    def may_act(self, cluster: str) -> bool:
        """Whether they may act on the jobs of a cluster."""
        return cluster in self.operable


class Visits:
    """Recognises who looks.

    Args:
        clusters: The clusters that are served.
        addresses: The portal's addresses.
        cookies: Its cookies.
    """

    def __init__(
        self, clusters: Sequence[ClusterConfiguration], addresses: Addresses, cookies: Cookies
    ) -> None:
        self._clusters = clusters
        self._addresses = addresses
        self._cookies = cookies

    def text(self, request: Request) -> Text:
        """Return the phrases of the language of a request."""
        chosen = self._cookies.read(request, LANGUAGE_COOKIE)
        return text_of(preferred(chosen, request.headers.get("accept-language", "")))

    def of(self, request: Request) -> Visit:
        """Return who a request is of: somebody signed in, as the middleware has seen to."""
        return self.by(request.scope[SESSION], self.text(request))

    def by(self, session: Session, text: Text) -> Visit:
        """Return somebody who is signed in."""
        may = session.principal.may
        return Visit(
            session,
            text,
            [one for one in self._clusters if may(Role.READ, one.key)],
            frozenset(one.key for one in self._clusters if may(Role.OPERATE, one.key)),
        )
