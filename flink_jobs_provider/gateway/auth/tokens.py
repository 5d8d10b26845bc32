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
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, AwareDatetime, Field, ValidationError

from flink_jobs_provider.gateway.auth.access_configuration import Grants, caller_name
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.gateway.setting_types import Settings, problems_of_settings
from flink_jobs_provider.model.errors import SetupError, Signal
from flink_jobs_provider.strict_yaml import UnreadableFile, read_yaml

#: What every token begins with, so that scanners for leaked secrets can know it.
TOKEN_START = "fjg_"  # noqa: S105 - a prefix, not a token
_HASH_START = "sha256:"


class TokensFileError(SetupError):
    """The tokens file cannot be used; the text is the reason, and what to do."""


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
        TokensFileError: It is missing, invalid, or open to others.
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
        problems = problems_of_settings(error, TokensFile.model_json_schema())
        found = "; ".join(f"{where or 'it'} {what}" for where, what in problems)
        raise TokensFileError(f"{path} is invalid: {found}.") from None
    names = [token.name for token in tokens.tokens]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TokensFileError(f"{path} is invalid: the name {twice[0]} is a duplicate.")
    return tokens


@dataclass(frozen=True)
class _Version:
    """What distinguishes one content of the file from another."""

    inode: int
    size: int
    changed: int


class KnownTokens:
    """The callers of a tokens file, which is read again when it changes.

    Args:
        path: The file. It is read when first needed.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._version: _Version | None = None
        self._tokens: list[TokenEntry] = []

    def principal(self, token: str, now: datetime | None = None) -> Principal | None:
        """Return who a token was given to; None where it is unknown.

        Raises:
            ExpiredToken: It was right once.
            TokensFileError: The file cannot be used; no token is known until it can.
        """
        return self.holder(hash_of(token), now)

    def holder(self, given: str, now: datetime | None = None) -> Principal | None:
        """Return the same of a token of which only the hash is known, as sessions keep it."""
        self.refresh()
        found = None
        for entry in self._tokens:  # through to the end: how long it takes reveals nothing
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


_HEAD = """\
# Tokens of a gateway, as hashes. Kept by `flink-jobs gateway token`; a running gateway reads it
# again when it changes.
"""


def create_token(
    path: Path, name: str, roles: Mapping[str, Role], lifetime: float | None = None
) -> str:
    """Add a token to a file, which is made where it is missing; return the token.

    Args:
        path: The tokens file.
        name: Who it is for.
        roles: Role by cluster id, or by "*".
        lifetime: Seconds after which it expires; never, if not given.

    Raises:
        TokensFileError: The name is taken or invalid, or the file cannot be read or written.
    """
    token, digest = make_token()
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        expires = now + timedelta(seconds=lifetime) if lifetime else None
        entry = TokenEntry.model_validate(
            {"name": name, "hash": digest, "roles": roles, "created": now, "expires": expires}
        )
    except OverflowError:
        raise TokensFileError("The token would expire too far in the future.") from None
    except ValidationError as error:
        problems = problems_of_settings(error, TokenEntry.model_json_schema())
        found = "; ".join(f"{where} {what}" for where, what in problems)
        raise TokensFileError(f"The token's {found}.") from None
    with _edited(path) as tokens:
        if any(known.name == name for known in tokens):
            raise TokensFileError(
                f"There is a token named {name} already. Revoke it first, or take another name."
            )
        tokens.append(entry)
    return token


def revoke_token(path: Path, name: str) -> None:
    """Remove a token from a file.

    Raises:
        TokensFileError: There is none of that name, or the file cannot be read or written.
    """
    with _edited(path) as tokens:
        kept = [known for known in tokens if known.name != name]
        if len(kept) == len(tokens):
            raise TokensFileError(f"There is no token named {name} in {path}.")
        tokens[:] = kept


@contextmanager
def _edited(path: Path) -> Iterator[list[TokenEntry]]:
    """Yield the tokens of a file to be changed; write them when the block ends without an error."""
    path = Path(os.path.realpath(path))  # a link stays a link
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            tokens = read_tokens(path).tokens if path.exists() else []
            yield tokens
            _replace(path, _written(TokensFile(tokens=tokens)))
    except OSError as error:
        raise TokensFileError(f"{path} cannot be written: {error.strerror or error}.") from None


def _written(tokens: TokensFile) -> str:
    plain = tokens.model_dump(mode="json", exclude_none=True)
    return _HEAD + yaml.safe_dump(plain, sort_keys=False)


def _replace(path: Path, text: str) -> None:
    """Replace a file's content at once; its owner and mode stay."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if path.exists():
                before = path.stat()
                os.fchmod(file.fileno(), before.st_mode & 0o777)
                # Else root, adding a token, would take the file away from the gateway's user.
                with suppress(PermissionError):
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock a file for one process at a time; the system frees the lock when its holder dies."""
    import fcntl  # not on Windows, where gateways are not run

    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
