"""The gateway's own certificate: checked before it listens, read again when it is renewed."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from pathlib import Path

import structlog

from flink_jobs_provider.gateway.configuration import TlsFiles
from flink_jobs_provider.gateway.setting_types import environment
from flink_jobs_provider.model.errors import SetupError

_log = structlog.get_logger("gateway.certificate")
_EVERY = 30.0
#: Of TLS 1.2: forward secrecy and authenticated encryption only, no CBC. TLS 1.3 has no other.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class CertificateUnusable(SetupError):
    """The certificate cannot be used; the text says why and which file it is about."""


class Certificate:
    """A certificate and its key, in a TLS context that connections are accepted with.

    Args:
        files: Where they are.

    Raises:
        CertificateUnusable: A file cannot be read, or the two do not belong together.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.set_ciphers(_CIPHERS)
        self._version = self._present()
        self.load()

    def load(self) -> None:
        """Read the files; connections that are made from now on see what they hold.

        Raises:
            CertificateUnusable: They cannot be used; the certificate from before stays.
        """
        password = self._password()
        _read(self._files.certificate_file)
        _check_private(self._files.key_file)
        if b"ENCRYPTED" in _read(self._files.key_file) and not password:
            raise CertificateUnusable(
                f"{self._files.key_file} is encrypted: name its password in listen.tls.key_password"
            )
        # First into a context that nobody uses: a half-read pair must not reach connections.
        self._load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), password)
        self._load_into(self.context, password)

    def _load_into(self, context: ssl.SSLContext, password: str) -> None:
        files = self._files
        try:
            # Always a password, if an empty one: without it OpenSSL would ask on the terminal.
            context.load_cert_chain(files.certificate_file, files.key_file, lambda: password)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or "one of them is none that can be read"
            raise CertificateUnusable(
                f"{files.certificate_file} with {files.key_file} cannot be used: "
                f"{reason.replace('_', ' ').lower()}. They must be PEM files, and belong together"
            ) from None

    def _password(self) -> str:
        if self._files.key_password is None:
            return ""
        try:
            return environment(self._files.key_password)
        except KeyError:
            raise CertificateUnusable(
                f"listen.tls.key_password refers to {self._files.key_password}, and there is no "
                "such environment variable"
            ) from None

    def renew(self) -> bool:
        """Load the files again if they changed; whether they were. What is invalid is logged."""
        present = self._present()
        if present == self._version:
            return False
        self._version = present
        try:
            self.load()
        except CertificateUnusable as error:
            _log.error("the renewed certificate cannot be used: the old one stays", reason=error)
            return False
        _log.info("the certificate was renewed", file=self._files.certificate_file)
        return True

    async def keep_renewing(self, every: float = _EVERY) -> None:
        """Look for a renewed certificate, for as long as the gateway runs.

        It is loaded in the event loop's own thread, where no handshake is under way meanwhile.
        """
        while True:
            await asyncio.sleep(every)
            self.renew()

    def _present(self) -> tuple[tuple[int, int], ...]:
        found = []
        for path in (self._files.certificate_file, self._files.key_file):
            try:
                stat = Path(path).stat()
            except OSError:
                return ()
            found.append((stat.st_ino, stat.st_mtime_ns))
        return tuple(found)


def _check_private(path: str) -> None:
    """Refuse a key that other users of this machine can read; a group may, as of a mounted secret.

    Raises:
        CertificateUnusable: It is open to others, or is not there.
    """
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise CertificateUnusable(f"{path} cannot be read: {error.strerror}") from None
    if os.name == "posix" and mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP):
        raise CertificateUnusable(
            f"{path} is open to other users of this machine (mode {stat.S_IMODE(mode):04o}). "
            f"Run: chmod 600 {path}"
        )


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CertificateUnusable(f"{path} cannot be read: {error.strerror}") from None
