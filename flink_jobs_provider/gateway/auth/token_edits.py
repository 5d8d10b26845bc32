"""Giving out and taking back tokens: each change replaces the tokens file as a whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from pydantic import ValidationError

from flink_jobs_provider.gateway.auth.tokens import (
    TokenEntry,
    TokensFile,
    TokensFileError,
    make_token,
    read_tokens,
)
from flink_jobs_provider.gateway.principal import Role

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
        TokensFileError: The name is taken or wrong, or the file cannot be read or written.
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
        first = error.errors(include_url=False)[0]
        what = first["msg"].removeprefix("Value error, ")
        raise TokensFileError(f"The token's {first['loc'][0]} {what}.") from None
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
    """Give the tokens of a file to be changed; write them when the block ends well."""
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
    """Put a new content in a file's place at once, with the owner and mode that it had."""
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
    """Let one process at a time change a file; the system frees the lock when its holder dies."""
    import fcntl  # not on Windows, where gateways are not run

    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
