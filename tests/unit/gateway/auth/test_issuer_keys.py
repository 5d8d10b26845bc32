"""An issuer's keys: when they are fetched, how long they are used, which of them are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from flink_jobs_provider.gateway.auth.access_configuration import Issuer
from flink_jobs_provider.gateway.auth.jwt import IssuerKeys, KeysUnavailable
from tests.unit.gateway.auth.signing import ec_key, jwk, rsa_key

ISSUER = "https://issuer.test/v2.0"
METADATA = f"{ISSUER}/.well-known/openid-configuration"
KEYS = "https://issuer.test/keys"


class FakeIssuer:
    """Answers discovery and keys; counts how often it is asked."""

    def __init__(self) -> None:
        self.keys: list[Any] = [jwk(rsa_key("one"), kid="one")]
        self.metadata: dict[str, Any] = {"issuer": ISSUER, "jwks_uri": KEYS}
        self.asked: list[str] = []
        self.fails: Callable[[httpx.Request], httpx.Response] | None = None
        self.now = 0.0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.asked.append(str(request.url))
        await anyio.lowlevel.checkpoint()
        if self.fails:
            return self.fails(request)
        if str(request.url) == METADATA:
            return httpx.Response(200, json=self.metadata)
        assert str(request.url) == KEYS
        return httpx.Response(200, json={"keys": self.keys})

    def open(self, **settings: Any) -> IssuerKeys:
        """Return the keys, which nobody has asked for yet."""
        issuer = Issuer.model_validate(
            {"issuer": ISSUER, "audience": ["a"], "grants": {"R": {"*": "read"}}, **settings}
        )
        return IssuerKeys(issuer, httpx.MockTransport(self), lambda: self.now)

    @property
    def fetches(self) -> int:
        """How often keys were fetched."""
        return self.asked.count(KEYS)


@pytest.fixture
def issuer() -> FakeIssuer:
    return FakeIssuer()


def key_ids(keys: IssuerKeys, *wanted: str | None, algorithm: str = "RS256") -> list[str | None]:
    """Ask for keys one after the other; return the ids of what was found."""

    async def ask() -> list[str | None]:
        found = [await keys.key(kid, algorithm) for kid in wanted]
        return [key.key_id if key else None for key in found]

    return anyio.run(ask)


def test_keys_are_found_by_discovery_and_kept(issuer: FakeIssuer) -> None:
    keys = issuer.open()
    assert key_ids(keys, "one", "one", "one") == ["one"] * 3
    assert issuer.asked == [METADATA, KEYS]


def test_an_issuer_without_discovery_names_its_keys(issuer: FakeIssuer) -> None:
    assert key_ids(issuer.open(jwks_url=KEYS), "one") == ["one"]
    assert issuer.asked == [KEYS]


def test_all_who_wait_share_one_fetch(issuer: FakeIssuer) -> None:
    keys = issuer.open()

    async def ask() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(keys.key, "one", "RS256")

    anyio.run(ask)
    assert issuer.fetches == 1


def test_keys_are_fetched_anew_after_an_hour(issuer: FakeIssuer) -> None:
    """Shows that a key that the issuer took back is not accepted for ever."""
    keys = issuer.open()
    assert key_ids(keys, "one") == ["one"]
    issuer.keys = [jwk(rsa_key("two"), kid="two")]
    issuer.now = 3500
    assert key_ids(keys, "one") == ["one"]
    issuer.now = 3700
    assert key_ids(keys, "one", "two") == [None, "two"]


def test_an_unknown_key_is_asked_for_but_not_more_often_than_every_ten_seconds(
    issuer: FakeIssuer,
) -> None:
    """Shows that rotation is followed at once, and that invented names do not flood the issuer."""
    keys = issuer.open()
    assert key_ids(keys, "one") == ["one"]
    issuer.now = 60
    issuer.keys.append(jwk(rsa_key("two"), kid="two"))
    assert key_ids(keys, "two") == ["two"]
    assert issuer.fetches == 2
    assert key_ids(keys, *(f"invented-{n}" for n in range(100))) == [None] * 100
    assert issuer.fetches == 2
    issuer.now = 71
    assert key_ids(keys, "invented", "invented") == [None, None]
    assert issuer.fetches == 3


def test_known_keys_are_used_while_the_issuer_is_down_for_a_day(issuer: FakeIssuer) -> None:
    keys = issuer.open()
    assert key_ids(keys, "one") == ["one"]
    issuer.fails = lambda _request: httpx.Response(503)
    issuer.now = 23 * 3600
    assert key_ids(keys, "one", "one") == ["one", "one"]
    assert len(issuer.asked) == 3
    issuer.now = 25 * 3600
    with pytest.raises(KeysUnavailable, match=f"{METADATA} answers 503"):
        key_ids(keys, "one")


def test_an_unknown_key_of_an_issuer_that_is_down_is_not_called_wrong(issuer: FakeIssuer) -> None:
    keys = issuer.open()
    assert key_ids(keys, "one") == ["one"]
    issuer.fails = lambda _request: httpx.Response(503)
    issuer.now = 60
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            key_ids(keys, "two")
    assert len(issuer.asked) == 3
    issuer.fails, issuer.now = None, 80
    assert key_ids(keys, "two") == [None]


def _raises(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def answer(_request: httpx.Request) -> httpx.Response:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_raises(httpx.ConnectError("refused")), f"no connection to {METADATA}: refused"),
        (_raises(httpx.ReadTimeout("slow")), f"{METADATA} did not answer in time"),
        (lambda _: httpx.Response(302, headers={"Location": "https://evil/"}), "answers 302"),
        (lambda _: httpx.Response(200, text="<html>"), "does not answer JSON"),
        (lambda _: httpx.Response(200, json=[]), "does not answer a JSON object"),
        (lambda _: httpx.Response(200, json={}), "is of another issuer (None)"),
        (lambda _: httpx.Response(200, content=b" " * (2 << 20)), "answers more than"),
        (lambda _: httpx.Response(200, json={"issuer": ISSUER}), "names no https address of keys"),
        (
            lambda _: httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": "http://evil/k"}),
            "names no https address of keys",
        ),
    ],
)
def test_what_an_issuer_must_not_answer(
    issuer: FakeIssuer, answer: Callable[[httpx.Request], httpx.Response], said: str
) -> None:
    issuer.fails = answer
    keys = issuer.open()
    with pytest.raises(KeysUnavailable) as caught:
        key_ids(keys, "one")
    assert said in str(caught.value)
    before = len(issuer.asked)
    with pytest.raises(KeysUnavailable):
        key_ids(keys, "one")
    assert len(issuer.asked) == before, "a failure is not repeated at once"


def test_only_keys_that_may_sign_are_taken(issuer: FakeIssuer) -> None:
    """Shows that keys for other uses, weak ones and symmetric ones are left out."""
    one = rsa_key("one")
    issuer.keys = [
        jwk(one, kid="encrypts", use="enc"),
        jwk(one, kid="other-algorithm", alg="RS512"),
        jwk(rsa_key("weak", 1024), kid="weak"),
        {"kty": "oct", "kid": "symmetric", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": 3},
        {"kid": "nothing"},
        jwk(one, kid=["a list"]),
        "no object",
        jwk(one, kid="right"),
        jwk(ec_key("one"), kid="curve"),
    ]
    keys = issuer.open()
    names = ["encrypts", "other-algorithm", "weak", "symmetric", "broken", "nothing", "right"]
    assert key_ids(keys, *names) == [None] * 6 + ["right"]
    assert key_ids(keys, "curve", "right", algorithm="ES256") == ["curve", None]
    assert key_ids(keys, "curve", algorithm="RS256") == [None]


def test_a_token_without_a_key_name_needs_an_issuer_with_one_key(issuer: FakeIssuer) -> None:
    keys = issuer.open()
    assert key_ids(keys, None) == ["one"]
    issuer.keys.append(jwk(rsa_key("two"), kid="two"))
    issuer.now = 4000
    assert key_ids(keys, None) == [None]
