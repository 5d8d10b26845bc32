"""Tokens of the gateway's own: made, known, expired, revoked."""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.auth.tokens import (
    ExpiredToken,
    KnownTokens,
    TokensFileError,
    create_token,
    make_token,
    read_tokens,
    revoke_token,
)
from flink_jobs_provider.gateway.principal import Principal, Role

OPERATE = {"*": Role.OPERATE}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


def test_a_token_is_256_random_bits_and_known_as_one() -> None:
    token, digest = make_token()
    assert token.startswith("fjg_")
    assert len(token) == len("fjg_") + 43
    assert digest == "sha256:" + hashlib.sha256(token.encode()).hexdigest()
    assert make_token()[0] != token


def test_the_file_holds_hashes_and_is_its_owners_alone(path: Path) -> None:
    token = create_token(path, "ci", OPERATE)
    text = path.read_text()
    assert token not in text
    assert token.removeprefix("fjg_") not in text
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_token_is_its_callers_with_roles_by_cluster_key(path: Path) -> None:
    token = create_token(path, "ci", {"/subscriptions/S/clusters/C": Role.READ})
    create_token(path, "other", OPERATE)
    principal = KnownTokens(path).principal(token)
    assert principal == Principal("ci", {"/subscriptions/s/clusters/c": Role.READ})
    assert principal.may(Role.READ, "/subscriptions/s/clusters/c")
    assert not principal.may(Role.OPERATE, "/subscriptions/s/clusters/c")
    assert not principal.may(Role.READ, "/subscriptions/s/clusters/other")


@pytest.mark.parametrize("token", ["", "fjg_", "fjg_x", "\udcff", "é" * 50])
def test_what_was_not_given_out_is_unknown(path: Path, token: str) -> None:
    create_token(path, "ci", OPERATE)
    assert KnownTokens(path).principal(token) is None


def test_a_token_expires_at_its_time(path: Path) -> None:
    token = create_token(path, "ci", OPERATE, lifetime=90.0)
    known = KnownTokens(path)
    now = datetime.now(UTC)
    assert known.principal(token, now + timedelta(seconds=80)) is not None
    with pytest.raises(ExpiredToken):
        known.principal(token, now + timedelta(seconds=91))


def test_the_file_is_read_again_when_it_changes(path: Path) -> None:
    """Shows that a new token counts at once, and a revoked one no more."""
    first = create_token(path, "first", OPERATE)
    known = KnownTokens(path)
    assert known.principal(first)
    second = create_token(path, "second", OPERATE)
    assert known.principal(second)
    revoke_token(path, "first")
    assert known.principal(first) is None
    assert known.principal(second)


def test_a_file_that_does_not_change_is_not_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = create_token(path, "ci", OPERATE)
    known = KnownTokens(path)
    assert known.principal(token)
    monkeypatch.setattr("flink_jobs_provider.gateway.auth.tokens.read_tokens", None)
    assert known.principal(token)


def test_nobody_is_known_while_the_file_cannot_be_used(path: Path) -> None:
    """Shows that a broken file never leaves yesterday's tokens in force, and that mending helps."""
    token = create_token(path, "ci", OPERATE)
    known = KnownTokens(path)
    assert known.principal(token)
    right = path.read_bytes()
    path.write_text("tokens: [")
    for _ in range(2):
        with pytest.raises(TokensFileError, match="is not YAML"):
            known.principal(token)
    path.unlink()
    with pytest.raises(TokensFileError, match="cannot be read"):
        known.principal(token)
    path.touch(mode=0o600)
    path.write_bytes(right)
    assert known.principal(token)


@pytest.mark.parametrize("mode", [0o604, 0o606, 0o620, 0o601, 0o644, 0o777])
def test_a_file_that_others_may_read_or_write_is_refused(path: Path, mode: int) -> None:
    """Shows that it says what to do, also where the mode alone changes while a gateway runs."""
    token = create_token(path, "ci", OPERATE)
    known = KnownTokens(path)
    assert known.principal(token)
    path.chmod(mode)
    with pytest.raises(TokensFileError, match=f"Run: chmod 600 {path}"):
        known.principal(token)


def test_the_services_group_may_read_it(path: Path) -> None:
    """Shows that a secret mounted into a container (0440) is taken."""
    token = create_token(path, "ci", OPERATE)
    path.chmod(0o440)
    assert KnownTokens(path).principal(token)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tokens:\n- name: ci\n", "tokens[0].hash is required"),
        ("tokens:\n- {name: ci, hash: 'fjg_x', roles: {'*': read}}\n", "must be sha256:"),
        ("tokens:\n- {name: 'a b', hash: 'sha256:%s', roles: {'*': read}}\n", "must be 1 to 64"),
        ("tokens:\n- {name: ci, hash: 'sha256:%s', roles: {'*': all}}\n", "tokens[0].roles"),
        ("tokens:\n- {name: ci, hash: 'sha256:%s', roles: {}}\n", "tokens[0].roles"),
        (
            "tokens:\n- {name: ci, hash: 'sha256:%s', roles: {'*': read}, expiry: 3}\n",
            "did you mean expires?",
        ),
        (
            "tokens:\n- {name: 5, roles: 1}\n",
            "[0].name must be a text; tokens[0].hash is required; tokens[0].roles must be a map",
        ),
        (
            "tokens:\n- &a {name: ci, hash: 'sha256:%s', roles: {'*': read}}\n- *a\n",
            "the name ci is a duplicate",
        ),
        ("- ci\n", "is invalid"),
    ],
)
def test_a_wrong_file_is_told_at_its_path(path: Path, text: str, said: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text.replace("%s", "0" * 64))
    with pytest.raises(TokensFileError) as caught:
        read_tokens(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_an_empty_file_knows_nobody(path: Path) -> None:
    path.touch(mode=0o600)
    assert read_tokens(path).tokens == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ci", "There is a token named ci already"),
        ("a b", "name must be"),
        ("", "name must be"),
        ("Gateway", "name must not be Gateway"),
    ],
)
def test_a_wrong_name_changes_nothing(path: Path, name: str, said: str) -> None:
    create_token(path, "ci", OPERATE)
    before = path.read_bytes()
    with pytest.raises(TokensFileError, match=said):
        create_token(path, name, OPERATE)
    assert path.read_bytes() == before


def test_revoking_what_is_not_there_is_told(path: Path) -> None:
    create_token(path, "ci", OPERATE)
    with pytest.raises(TokensFileError, match="There is no token named cj"):
        revoke_token(path, "cj")


def test_a_lifetime_without_end_is_told(path: Path) -> None:
    with pytest.raises(TokensFileError, match="too far in the future"):
        create_token(path, "ci", OPERATE, lifetime=1e12)
    assert not path.exists()


def test_mode_and_link_stay_as_they_are(tmp_path: Path, path: Path) -> None:
    """Shows that an edit keeps the file's mode, and writes through a link."""
    create_token(path, "ci", OPERATE)
    path.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    create_token(link, "other", OPERATE)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [token.name for token in read_tokens(path).tokens] == ["ci", "other"]


def test_an_edit_by_root_leaves_the_file_to_its_owner(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that the gateway's user does not lose the file to who adds a token."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _file, *owner: given.append(owner))
    create_token(path, "ci", OPERATE)
    assert given == [], "a new file is its maker's"
    create_token(path, "other", OPERATE)
    assert given == [(path.stat().st_uid, path.stat().st_gid)]


def test_a_failed_write_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_token(path, "ci", OPERATE)
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TokensFileError, match="cannot be written: No space left on device"):
        create_token(path, "other", OPERATE)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir() if "lock" not in file.name] == [path.name]


def test_edits_at_once_lose_nothing(path: Path) -> None:
    """Shows that of tokens created at the same time every one is kept."""
    threads = [
        threading.Thread(target=create_token, args=(path, f"ci-{n}", OPERATE)) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(token.name for token in read_tokens(path).tokens) == [f"ci-{n}" for n in range(8)]
