"""What is masked in texts, and what is not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

from flink_jobs_provider.model import redaction
from flink_jobs_provider.model.errors import InvalidSpec, JarError
from flink_jobs_provider.model.redaction import KnownSecrets, Redactor, mask_addresses, mask_foreign


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no https://u:p@host/a.jar here", "no https://***@host/a.jar here"),
        ("https://token@host/a.jar", "https://***@host/a.jar"),
        ("https://u:p@ss@host/a.jar", "https://***@host/a.jar"),
        ("(https://host/a.jar?sig=abc&x=1).", "(https://host/a.jar?***)."),
        ("jdbc:postgresql://db/x?user=u&password=p", "jdbc:postgresql://db/x?***"),
        ("mongodb://u:p@one,two/x", "mongodb://***@one,two/x"),
        ("'s3://b/a','https://u:p@h/'", "'s3://b/a','https://***@h/'"),
        ("abfss://jars@acc.dfs.core.windows.net/a", "abfss://jars@acc.dfs.core.windows.net/a"),
        ("abfs://k:p@acc/a", "abfs://***@acc/a"),
        ("file:///tmp/a@b/c", "file:///tmp/a@b/c"),
        ("is it up? see a@b", "is it up? see a@b"),
    ],
)
def test_addresses_lose_user_info_and_query(text: str, shown: str) -> None:
    assert mask_addresses(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("login failed: password=hunter2, user=u", "login failed: password=***, user=u"),
        ("ssl.keystore.password = 'a b'", "ssl.keystore.password = ***"),
        ('x password="un;closed', "x password=***"),
        ("AccountKey=abc==;Endpoint=x", "AccountKey=***;Endpoint=x"),
        ("jdbc:sqlserver://h;password=p", "jdbc:sqlserver://h;password=***"),
        ("token expired", "token expired"),
    ],
)
def test_credentials_in_foreign_texts(text: str, shown: str) -> None:
    assert mask_foreign(text) == shown


def test_every_error_masks_addresses() -> None:
    """Shows an error of one line, and one of several properties."""
    address = "https://u:hunter2@host/a.jar?sig=hunter2"
    problem = InvalidSpec([("jar", f"cannot open {address}")])
    said = [str(JarError(f"cannot open {address}", now=address, remedy=address)), str(problem)]
    assert not any("hunter2" in text for text in [*said, *map(str, problem.problems)])


def test_a_known_secret_is_masked_also_without_its_query() -> None:
    secrets = KnownSecrets()
    secrets.add("https://private/a.jar?sig=1", "abc", "abcd")
    assert secrets.redact("cannot open https://private/a.jar?***") == "cannot open ***"
    assert secrets.redact("abcd abc") == "*** abc"


def test_secrets_are_taken_out_of_text() -> None:
    """Longest first, line by line for those of several lines; very short ones stay."""
    redactor = Redactor(["pass", "password", "line one\nline two", "ab", ""], "[secret]")
    assert redactor.redact("password pass ab") == "[secret] [secret] ab"
    assert redactor.redact("saw line two.") == "saw [secret]."
    assert Redactor([]).redact("x") == "x"


def test_a_thousand_secrets_are_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that a new value costs nothing, and that a line is searched for those in it alone."""
    made: list[int] = []
    patterns: list[str] = []
    substitute, original = re.sub, Redactor

    def counted(known: Iterable[str], *args: Any, **options: Any) -> Redactor:
        made.append(len(list(known)))
        return original(known, *args, **options)

    def noted(pattern: str, *args: Any) -> str:
        patterns.append(pattern)
        return substitute(pattern, *args)

    secrets = KnownSecrets()
    monkeypatch.setattr(redaction, "Redactor", counted)
    monkeypatch.setattr(re, "sub", noted)
    for number in range(1000):
        secrets.add(f"secret-number-{number}")
    assert secrets.redact("a line of secret-number-7 alone") == "a line of *** alone"
    assert secrets.redact("a line") == "a line"
    secrets.add("another-one")
    assert secrets.redact("this is another-one") == "this is ***"
    monkeypatch.undo()
    assert made == [1000, 1001]
    assert patterns == [re.escape("secret-number-7"), re.escape("another-one")]
