"""The gateway's certificate: what is refused, and how a renewed one comes into use."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import cast

import anyio
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from flink_jobs_provider.gateway.configuration import TlsFiles
from flink_jobs_provider.gateway.ops.server import Certificate, CertificateUnusable

AUTHORITY = trustme.CA()


def issue(directory: Path, name: str = "gateway.test") -> None:
    certificate = AUTHORITY.issue_cert(name)
    certificate.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    (directory / "key.pem").chmod(0o600)


def opened(directory: Path, **more: str) -> Certificate:
    files = {"certificate_file": "cert.pem", "key_file": "key.pem"}
    paths = {name: str(directory / file) for name, file in files.items()}
    return Certificate(TlsFiles.model_validate({**paths, **more}))


def served_name(certificate: Certificate) -> str:
    """Shake hands without a network; return the name in the certificate that is shown."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)
    trust.check_hostname = False
    client = trust.wrap_bio(to_client, to_server)
    server = certificate.context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = client.getpeercert()
    assert shown is not None
    ((_, name),) = cast(tuple[tuple[str, str], ...], shown["subjectAltName"])
    return name


def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    issue(tmp_path, "old.test")
    certificate = opened(tmp_path)
    assert served_name(certificate) == "old.test"
    assert not certificate.renew()
    issue(tmp_path, "new.test")
    assert certificate.renew()
    assert served_name(certificate) == "new.test"
    assert not certificate.renew()


def test_a_renewal_is_noticed_while_the_gateway_runs(tmp_path: Path) -> None:
    issue(tmp_path, "old.test")
    certificate = opened(tmp_path)

    async def run() -> None:
        watching = asyncio.create_task(certificate.keep_renewing(every=0.001))
        issue(tmp_path, "new.test")
        with anyio.fail_after(10):
            while served_name(certificate) != "new.test":  # noqa: ASYNC110 - nobody tells when
                await asyncio.sleep(0.001)
        watching.cancel()

    anyio.run(run)


def test_a_wrong_renewal_leaves_the_old_one_in_use(tmp_path: Path) -> None:
    """Shows it for a key that does not fit and for a missing file, and that mending helps."""
    issue(tmp_path, "old.test")
    certificate = opened(tmp_path)
    AUTHORITY.issue_cert("new.test").private_key_pem.write_to_path(tmp_path / "key.pem")
    assert not certificate.renew()
    assert served_name(certificate) == "old.test"
    (tmp_path / "cert.pem").unlink()
    assert not certificate.renew()
    assert served_name(certificate) == "old.test"
    issue(tmp_path, "mended.test")
    assert certificate.renew()
    assert served_name(certificate) == "mended.test"


def _encrypted_key(directory: Path) -> None:
    issue(directory)
    path = directory / "key.pem"
    key = load_pem_private_key(path.read_bytes(), None)
    encryption = BestAvailableEncryption(b"MARKER")
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


def test_an_encrypted_key_needs_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that nobody is asked on a terminal, and that the password is not shown."""
    _encrypted_key(tmp_path)
    with pytest.raises(CertificateUnusable, match=r"listen\.tls\.key_password"):
        opened(tmp_path)
    monkeypatch.delenv("KEY_PASSWORD", raising=False)
    with pytest.raises(CertificateUnusable, match="no such environment variable"):
        opened(tmp_path, key_password="env:KEY_PASSWORD")
    monkeypatch.setenv("KEY_PASSWORD", "wrong-MARKER")
    with pytest.raises(CertificateUnusable) as caught:
        opened(tmp_path, key_password="env:KEY_PASSWORD")
    assert "MARKER" not in str(caught.value)
    monkeypatch.setenv("KEY_PASSWORD", "MARKER")
    assert served_name(opened(tmp_path, key_password="env:KEY_PASSWORD")) == "gateway.test"


@pytest.mark.parametrize("name", ["cert.pem", "key.pem"])
def test_files_that_are_none_are_named(tmp_path: Path, name: str) -> None:
    issue(tmp_path)
    (tmp_path / name).write_text("nothing")
    with pytest.raises(CertificateUnusable, match=r"must be PEM files, and belong together"):
        opened(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(CertificateUnusable, match=f"{name} cannot be read: No such file"):
        opened(tmp_path)


def test_old_protocols_are_not_spoken(tmp_path: Path) -> None:
    issue(tmp_path)
    assert opened(tmp_path).context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """Shows it at the start, and for a renewed one: the certificate from before stays."""
    issue(tmp_path, "old.test")
    certificate = opened(tmp_path)
    issue(tmp_path, "new.test")
    (tmp_path / "key.pem").chmod(mode)
    assert certificate.renew() is False
    assert served_name(certificate) == "old.test"
    with pytest.raises(CertificateUnusable, match=rf"mode {mode:04o}\)\. Run: chmod 600"):
        opened(tmp_path)


def test_a_key_that_a_group_can_read_is_used(tmp_path: Path) -> None:
    """Shows how secrets are mounted into containers."""
    issue(tmp_path)
    (tmp_path / "key.pem").chmod(0o440)
    opened(tmp_path)


def test_no_suite_without_authenticated_encryption_is_spoken(tmp_path: Path) -> None:
    """Shows that nothing with CBC is among the suites, nor anything without forward secrecy."""
    issue(tmp_path)
    suites = opened(tmp_path).context.get_ciphers()
    assert suites
    for suite in suites:
        assert suite["aead"], suite["name"]
        assert suite["kea"] in ("kx-ecdhe", "kx-any"), suite["name"]
