"""Whose certificates are trusted."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from flink_jobs_provider.control_planes.connection import system_trust, trust
from flink_jobs_provider.gateway.auth import jwt
from flink_jobs_provider.model.target import Tls


def test_the_systems_certificates_are_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows it for clients of clusters and of issuers: each load takes 30 ms."""
    shared = system_trust()
    monkeypatch.setattr(ssl, "create_default_context", None)
    assert trust(None, str) is shared
    assert jwt.trust(None) is shared


def test_what_one_cluster_trusts_and_shows_is_its_own(tmp_path: Path) -> None:
    """Shows that neither an authority nor a certificate of one cluster goes to another one."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("me").private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    before = system_trust().cert_store_stats()
    own = trust(Tls(ca_file=str(tmp_path / "ca.pem")), str)
    shown = trust(Tls(certificate_file=str(tmp_path / "me.pem")), str)
    assert len({id(own), id(shown), id(system_trust())}) == 3
    assert own.cert_store_stats()["x509"] == 1
    assert system_trust().cert_store_stats() == before
    assert jwt.trust(str(tmp_path / "ca.pem")) is not system_trust()
