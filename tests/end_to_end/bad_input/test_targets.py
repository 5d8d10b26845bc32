"""Targets that are down, are not Flink, or do not let us in: said in one line, nothing changed."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from pulumi.dynamic import CheckResult

from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from flink_jobs_provider.provider.run_output import FlinkJobError
from tests.fault_proxy import Answer, Exchange, FaultProxy, Moment, Rule, Verdict, let_pass
from tests.flink_cluster import FlinkCluster
from tests.integration.provided_job import end_run, new_run
from tests.job_jars import COUNTING_JAR

_ABSENT = "http://127.0.0.1:9"


def always(status: int, body: str = "", kind: str = "application/json") -> Rule:
    """Answer every request alike."""
    return lambda _exchange, _moment: Answer(status, body.encode(), kind)


def only(path: str, answer: Answer) -> Rule:
    """Answer requests for a path; the cluster answers the others."""

    def rule(exchange: Exchange, now: Moment) -> Verdict | Answer:
        return answer if now is Moment.BEFORE and exchange.path == path else Verdict.PASS

    return rule


@pytest.fixture
def provider() -> Iterator[FlinkJobProvider]:
    """Return a provider that was configured as an engine does it, with an empty configuration."""
    made = FlinkJobProvider()
    new_run(made)
    yield made
    end_run()


@pytest.fixture
def check(provider: FlinkJobProvider, tmp_path: Path) -> Callable[..., CheckResult]:
    """Return a function that checks a job on a target."""

    def checked(target: dict[str, Any], **replaced: Any) -> CheckResult:
        inputs = {
            "target": {"kind": "flink", **target},
            "job_name": "orders",
            "owner": "acme/shop/prod",
            "jar": str(COUNTING_JAR),
            "args": ["--output", str(tmp_path)],
            "parallelism": 1.0,
            **replaced,
        }
        return provider.check({}, inputs)

    return checked


@pytest.fixture
def create(provider: FlinkJobProvider, check: Callable[..., CheckResult]) -> Callable[..., str]:
    """Return a function that creates a job on a target, which must fail, and gives the error."""

    def created(target: dict[str, Any], **replaced: Any) -> str:
        checked = check(target, **replaced)
        assert checked.failures == []
        with pytest.raises(FlinkJobError) as caught:
            provider.create(checked.inputs)
        message = str(caught.value)
        assert "\n" not in message
        assert "Traceback" not in message
        assert "flink_jobs_provider itself" not in message
        return message

    return created


#: What answers at the address; what the message must say; what it must advise.
NO_CLUSTER: dict[str, tuple[Rule, str, str]] = {
    "a_page": (
        always(200, "<html>Welcome</html>", "text/html"),
        "answers 200, and not as a Flink REST API does.",
        "Check target.url: host, port, and the path a proxy may want.",
    ),
    "a_missing_page": (
        always(404, "<html>Not found</html>", "text/html"),
        "answers 404, and not as a Flink REST API does.",
        "Check target.url",
    ),
    "other_json": (
        always(200, '{"status": "UP"}'),
        "answers 200, and not as a Flink REST API does.",
        "Check target.url",
    ),
    "a_json_list": (
        always(200, "[1, 2]"),
        "answers 200, and not as a Flink REST API does.",
        "Check target.url",
    ),
    "a_json_error": (
        always(404, '{"message": "no such route"}'),
        "answers 404, and not as a Flink REST API does.",
        "Check target.url",
    ),
    "another_servers_errors": (
        always(400, '{"errors": ["bad things"]}'),
        "/config answered 400: bad things.",
        "",
    ),
    "a_login_page": (
        always(302, "", "text/html"),
        "redirects to elsewhere.",
        "Set target.url to the address of the REST API itself.",
    ),
    "unauthorized": (
        always(401, '{"errors": ["who are you"]}'),
        "refused the credentials (401).",
        "Check target.basic_auth, target.bearer_token or target.secret_headers.",
    ),
    "forbidden": (always(403, ""), "refused the credentials (403).", "Check target.basic_auth"),
    "bad_gateway": (
        always(502, "<html>Bad gateway</html>", "text/html"),
        "answers 502, and not as Flink does: something in between.",
        "Try again when the cluster is back.",
    ),
    "no_answer": (
        lambda _exchange, _moment: Verdict.DROP,
        "no connection to http://127.0.0.1:",
        "Is the cluster up, and the address right?",
    ),
    "an_old_flink": (
        always(200, '{"flink-version": "1.16.3"}'),
        "the cluster runs Flink 1.16.3, which has no chosen jobIds with configuration.",
        "Flink 1.17 or newer is needed.",
    ),
    "no_version": (
        always(200, '{"flink-version": "latest"}'),
        "the cluster reports version 'latest', which is none of Flink's.",
        "",
    ),
}


@pytest.mark.parametrize("kind", NO_CLUSTER)
def test_what_is_no_cluster_is_told(create: Callable[..., str], kind: str) -> None:
    """Each is told from the others, with the address and what to do; nothing was sent to change."""
    rule, happened, remedy = NO_CLUSTER[kind]
    with FaultProxy(_ABSENT, rule) as server:
        message = create({"url": server.url})
    assert happened in message
    assert remedy in message
    assert server.changes == []


def test_a_cluster_that_is_down(create: Callable[..., str]) -> None:
    """An address where nothing listens is named."""
    message = create({"url": _ABSENT})
    assert message.startswith(f"orders: it could not be started: no connection to {_ABSENT}: ")
    assert message.endswith("How it is now is not known. Is the cluster up, and the address right?")


def test_a_host_that_does_not_exist(create: Callable[..., str]) -> None:
    """A name that nothing resolves is named."""
    message = create({"url": "http://flink.invalid:8081"})
    assert message.startswith(
        "orders: it could not be started: no connection to http://flink.invalid:8081: "
    )


# Credentials


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"bearer_token": "env:FLINK_JOBS_NO_SUCH"},
            "target.bearer_token refers to env:FLINK_JOBS_NO_SUCH, and there is no such "
            "environment variable. Set FLINK_JOBS_NO_SUCH.",
        ),
        (
            {"basic_auth": {"username": "me", "password": "config:shop:token"}},
            "target.basic_auth.password refers to config:shop:token, and there is no such key of "
            "the stack's configuration. Set shop:token.",
        ),
        (
            {"secret_headers": {"X-Key": "env:FLINK_JOBS_NO_SUCH"}},
            "target.secret_headers.X-Key refers to env:FLINK_JOBS_NO_SUCH, and there is no such "
            "environment variable. Set FLINK_JOBS_NO_SUCH.",
        ),
        (
            {"tls": {"ca_file": "/nowhere/ca.pem"}},
            "target.tls.ca_file /nowhere/ca.pem cannot be used: No such file or directory",
        ),
    ],
    ids=["environment", "configuration", "header", "certificate"],
)
def test_a_reference_that_leads_nowhere(
    check: Callable[..., CheckResult],
    create: Callable[..., str],
    options: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The property and the name are told by the check, and the cluster is not even asked.

    So does the run after a preview that had not to look for them.
    """
    with FaultProxy(_ABSENT) as server:
        (failure,) = check({"url": server.url, **options}).failures
        path, _, reason = message.partition(" ")
        assert failure.property == path
        assert failure.reason == reason.replace("cannot be used", "cannot be read")
        monkeypatch.setenv("FLINK_JOBS_OFFLINE", "1")
        assert message in create({"url": server.url, **options})
    assert server.exchanges == []


def test_a_token_is_not_shown(create: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused token is not part of the message."""
    monkeypatch.setenv("FLINK_JOBS_TEST_TOKEN", "correct horse")
    with FaultProxy(_ABSENT, always(401)) as server:
        message = create({"url": server.url, "bearer_token": "env:FLINK_JOBS_TEST_TOKEN"})
    assert "refused the credentials (401)" in message
    assert "correct horse" not in message


# TLS


@pytest.fixture
def authority() -> trustme.CA:
    """Make a certificate authority that no system trusts."""
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA, flink_2: FlinkCluster) -> Iterator[FaultProxy]:
    """Put a proxy with https before a cluster."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with FaultProxy(flink_2.url, let_pass, context) as proxy:
        yield proxy


def test_a_certificate_that_is_not_trusted(create: Callable[..., str], secure: FaultProxy) -> None:
    """A self-signed certificate is refused as such, and `target.tls` is named."""
    message = create({"url": secure.url})
    assert message.startswith(f"no TLS connection to {secure.url}: ")
    assert "certificate verify failed" in message
    assert "Check target.tls, and whether the address should be http or https." in message
    assert secure.exchanges == []


def test_a_certificate_of_a_given_authority(
    provider: FlinkJobProvider, secure: FaultProxy, authority: trustme.CA, tmp_path: Path
) -> None:
    """With its authority in `target.tls.ca_file`, the same cluster is let do its work."""
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    inputs = {
        "target": {"kind": "flink", "url": secure.url, "tls": {"ca_file": str(ca_file)}},
        "job_name": "orders",
        "owner": "acme/shop/prod",
        "jar": str(COUNTING_JAR),
        "args": ["--output", str(tmp_path / "output")],
        "parallelism": 1.0,
    }
    created = provider.create(provider.check({}, inputs).inputs)
    assert created.outs is not None
    assert created.outs["status"] == "RUNNING"


def test_https_where_http_is_spoken(create: Callable[..., str]) -> None:
    """The wrong scheme is told as such."""
    with FaultProxy(_ABSENT, always(200)) as server:
        message = create({"url": server.url.replace("http:", "https:")})
    assert message.startswith("no TLS connection to https://127.0.0.1:")
    assert "whether the address should be http or https" in message


def test_http_where_https_is_spoken(create: Callable[..., str], secure: FaultProxy) -> None:
    """The other way round, the connection breaks: the address is named."""
    url = secure.url.replace("https:", "http:")
    message = create({"url": url})
    assert message.startswith(f"orders: it could not be started: no connection to {url}: ")
    assert "Is the cluster up, and the address right?" in message


# Savepoints, on a real cluster


def test_a_savepoint_that_does_not_exist(
    create: Callable[..., str], flink_2: FlinkCluster, tmp_path: Path
) -> None:
    """A first start from nowhere is refused before the jar is uploaded."""
    with FaultProxy(flink_2.url) as proxy:
        message = create({"url": proxy.url}, restore_from=f"{tmp_path}/savepoint-1")
    assert message.startswith(
        f"orders: restore_from: there is no savepoint at {tmp_path}/savepoint-1."
    )
    assert "Name the directory that holds its _metadata file." in message
    assert proxy.changes == []


def test_a_cluster_that_takes_no_jars(create: Callable[..., str], flink_2: FlinkCluster) -> None:
    """A cluster with web.submit.enable off has no `/jars`: the option is named."""
    missing = Answer(404, b'{"errors": ["Not found: /jars"]}', "application/json")
    with FaultProxy(flink_2.url, only("/jars", missing)) as proxy:
        message = create({"url": proxy.url})
    assert "web.submit.enable" in message
    assert proxy.changes == []
