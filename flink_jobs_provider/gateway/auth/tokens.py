"""The tokens file: who may call with a token that the gateway itself gave out.

It holds hashes only. A token is 256 random bits, so that one round of SHA-256 is as good as any
slow hash: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError

from flink_jobs_provider.gateway.auth.settings import Grants, caller_name
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.settings import Settings
from flink_jobs_provider.model.errors import SetupError, Signal
from flink_jobs_provider.strict_yaml import UnreadableFile, read_yaml

#: What every token begins with, so that scanners for leaked secrets can know it.
TOKEN_START = "fjg_"  # noqa: S105 - a prefix, not a token
_HASH_START = "sha256:"


class TokensFileError(SetupError):
    """The tokens file cannot be used; the text says why and what to do."""


def _hash(value: str) -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        raise ValueError("must be sha256: and 64 hexadecimal digits")
    return value


class TokenEntry(Settings):
    """A token as it is kept."""

    name: Annotated[str, AfterValidator(caller_name)]
    hash: Annotated[str, AfterValidator(_hash)]
    roles: Grants
    created: AwareDatetime | None = None
    expires: AwareDatetime | None = None

    def expired(self, now: datetime) -> bool:
        """Whether it is accepted no more."""
        return self.expires is not None and self.expires <= now


class TokensFile(Settings):
    """All tokens of a gateway."""

    tokens: list[TokenEntry] = Field(default=[])


class ExpiredToken(Signal):
    """A token that was right once."""


def make_token() -> tuple[str, str]:
    """Return a new token, and its hash."""
    token = TOKEN_START + secrets.token_urlsafe(32)
    return token, hash_of(token)


def hash_of(token: str) -> str:
    """Return what is kept of a token."""
    return _HASH_START + hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def read_tokens(path: Path) -> TokensFile:
    """Read a tokens file.

    Raises:
        TokensFileError: It is not there, wrong, or open to others.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise TokensFileError(
            f"{path} cannot be read: {error.strerror}. `flink-jobs gateway token create` makes it."
        ) from None
    # A group may read it: secrets mounted into containers are readable by the group of the service.
    if os.name == "posix" and mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP):
        raise TokensFileError(
            f"{path} is open to other users of this machine (mode {stat.S_IMODE(mode):04o}). "
            f"Run: chmod 600 {path}"
        )
    try:
        content = read_yaml(path)
        tokens = TokensFile.model_validate({} if content is None else content)
    except UnreadableFile as error:
        raise TokensFileError(f"{error}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        what = first["msg"].removeprefix("Value error, ")
        raise TokensFileError(f"{path} is wrong: {where}: {what}.") from None
    names = [token.name for token in tokens.tokens]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TokensFileError(f"{path} is wrong: {twice[0]} stands there twice.")
    return tokens


@dataclass(frozen=True)
class _Version:
    """What tells one content of the file from another."""

    inode: int
    size: int
    changed: int


class KnownTokens:
    """Knows the callers of a tokens file; reads it again when it changes.

    Args:
        path: The file. It is read when first needed.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._version: _Version | None = None
        self._tokens: list[TokenEntry] = []

    def principal(self, token: str, now: datetime | None = None) -> Principal | None:
        """Return who a token was given to; none where it is unknown.

        Raises:
            ExpiredToken: It was right once.
            TokensFileError: The file cannot be used; nobody is known until it can.
        """
        self.refresh()
        given = hash_of(token)
        found = None
        for entry in self._tokens:  # through to the end: how long it takes says nothing
            if hmac.compare_digest(entry.hash, given):
                found = entry
        if found is None:
            return None
        if found.expired(now or datetime.now(UTC)):
            raise ExpiredToken(found.name)
        return Principal(found.name, found.roles)

    def refresh(self) -> None:
        """Read the file again if it changed.

        Raises:
            TokensFileError: It cannot be used.
        """
        version = self._present()
        if version is not None and version == self._version:
            return
        self._version = None
        self._tokens = read_tokens(self._path).tokens
        self._version = version

    def _present(self) -> _Version | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        # The time of the inode's change, not of the content's: a chmod is a change too.
        return _Version(found.st_ino, found.st_size, found.st_ctime_ns)
