"""Every property, wrong: the provider's check names its path, and says what would be right.

Asked of the provider itself, as the engine does; how an engine shows the answers is in
`test_through_an_engine.py`.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from tests.fault_proxy import Answer, FaultProxy
from tests.job_jars import COUNTING_JAR

Check = Callable[..., list[tuple[str, str]]]

_URL = "http://127.0.0.1:9"


@pytest.fixture
def check() -> Check:
    """Return a function that checks a good job with some of its properties replaced."""

    def checked(**replaced: Any) -> list[tuple[str, str]]:
        inputs = {
            "target": {"kind": "flink", "url": _URL},
            "job_name": "orders",
            "owner": "acme/shop/prod",
            "jar": str(COUNTING_JAR),
            **replaced,
        }
        result = FlinkJobProvider().check({}, inputs)
        return [(failure.property, failure.reason) for failure in result.failures]

    return checked


def _target(**replaced: Any) -> dict[str, Any]:
    return {"target": {"kind": "flink", "url": _URL, **replaced}}


_REFERENCE = "must be a reference, env:NAME or config:KEY"
_NO_URL = "must be a URL such as http://host:8081"
_JOB_NAME = "must be 1 to 63 lower-case letters, digits and dashes"
_BLANKS = "must be given without blanks around it"
_NO_PATH = "must be a path or URI without blanks around it"
_DURATION = 'must be a duration above zero such as "90s", "10m" or "1h30m"'
_UNKNOWN = "is not a property of a Flink job"
_UNKNOWN_OF_TARGET = "is not a property of this kind of target"

#: Wrong properties; the path that must be named; how the reason must begin.
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"target": None}, "target", "is required"),
    ({"target": "http://host"}, "target", "must be an object"),
    ({"target": {}}, "target.url", "is required"),
    (_target(kind="yarn"), "target.kind", "must be 'flink'"),
    (_target(url="ftp://host"), "target.url", f"{_NO_URL} (got 'ftp://host')"),
    (_target(url="host:8081"), "target.url", _NO_URL),
    (_target(url="http://"), "target.url", _NO_URL),
    (_target(url="http://host:99999"), "target.url", f"{_NO_URL} (Port out of range"),
    (_target(url="http://host/?a=1"), "target.url", "must end with the path: no query"),
    (_target(url="http://me:pass@host"), "target.url", "must not carry credentials: use basic"),
    (_target(url="ftp://me:pass@host"), "target.url", "must not carry credentials: use basic"),
    (_target(url=8081.0), "target.url", "must be a text"),
    (_target(adress=_URL), "target.adress", _UNKNOWN_OF_TARGET),
    (_target(basic_auth={"username": "me"}), "target.basic_auth.password", "is required"),
    (
        _target(basic_auth={"username": "", "password": "env:P"}),
        "target.basic_auth.username",
        "must not be empty",
    ),
    (
        _target(basic_auth={"username": "me", "password": "pass"}),
        "target.basic_auth.password",
        _REFERENCE,
    ),
    (_target(bearer_token="pass"), "target.bearer_token", _REFERENCE),
    (_target(bearer_token="env:"), "target.bearer_token", _REFERENCE),
    (_target(headers={"a b": "x"}), "target.headers.a b", "must be a header name"),
    (_target(headers={"a": "ü"}), "target.headers.a", "must be ASCII without line breaks"),
    (
        _target(headers={"Authorization": "pass"}),
        "target.headers.Authorization",
        "must not be Authorization: use basic_auth or bearer_token",
    ),
    (_target(headers={"X-Team": 1.0}), "target.headers.X-Team", "must be a text"),
    (_target(secret_headers={"X-Key": "pass"}), "target.secret_headers.X-Key", _REFERENCE),
    (_target(tls="yes"), "target.tls", "must be an object"),
    (_target(tls={"cafile": "x"}), "target.tls.cafile", _UNKNOWN_OF_TARGET),
    (_target(tls={"key_password": "pass"}), "target.tls.key_password", _REFERENCE),
    ({"job_name": None}, "job_name", "is required"),
    ({"job_name": ""}, "job_name", _JOB_NAME),
    ({"job_name": "Orders"}, "job_name", _JOB_NAME),
    ({"job_name": "-orders"}, "job_name", _JOB_NAME),
    ({"job_name": "o" * 64}, "job_name", _JOB_NAME),
    ({"job_name": 7.0}, "job_name", "must be a text (got 7)"),
    ({"owner": None}, "owner", "is required"),
    ({"owner": ""}, "owner", "must not be empty"),
    ({"jar": None}, "jar", "is required"),
    ({"jar": ""}, "jar", _NO_PATH),
    ({"jar": " orders.jar"}, "jar", _BLANKS),
    ({"entry_class": "shop.Orders "}, "entry_class", _BLANKS),
    (_target(url=f"{_URL} "), "target.url", _BLANKS),
    ({"timeouts": {"savepoint": "169h"}}, "timeouts.savepoint", 'must be at most "7d"'),
    ({"jar": ["orders.jar"]}, "jar", "must be a text"),
    ({"jar": "/nowhere/o.jar"}, "jar", "cannot open /nowhere/o.jar: No such file or directory"),
    ({"jar": "file:///nowhere/o.jar"}, "jar", "cannot open file:///nowhere/o.jar: No such file"),
    ({"jar": "/tmp"}, "jar", "/tmp is not a file"),
    ({"jar": "hdfz://host/o.jar"}, "jar", "cannot open hdfz://host/o.jar: hdfz:// is no known"),
    ({"jar": f"{_URL}/o.jar"}, "jar", f"cannot open {_URL}/o.jar: connection refused."),
    ({"entry_class": ""}, "entry_class", "must not be empty"),
    ({"entry_class": 3.0}, "entry_class", "must be a text (got 3)"),
    ({"args": 3.0}, "args", "must be a list of texts"),
    ({"args": ["--rate", 100.0]}, "args[1]", "must be a text"),
    ({"args": {"rate": "100"}}, "args", "must be a list of texts"),
    ({"parallelism": 0.0}, "parallelism", "must be greater than or equal to 1 (got 0)"),
    ({"parallelism": 2.5}, "parallelism", "must be a whole number (got 2.5)"),
    ({"parallelism": "two"}, "parallelism", "must be a whole number (got 'two')"),
    ({"parallelism": True}, "parallelism", "must be a whole number (got True)"),
    ({"parallelism": 32769.0}, "parallelism", "must be less than or equal to 32768"),
    ({"parallelism": math.nan}, "parallelism", "must be a finite number"),
    ({"parallelism_managed_by": "me"}, "parallelism_managed_by", "must be 'provider' or 'other'"),
    ({"flink_configuration": "a=b"}, "flink_configuration", "must be a map of texts"),
    ({"flink_configuration": {"a": ["b"]}}, "flink_configuration.a", "must be a text"),
    (
        {"flink_configuration": {"parallelism.default": "3"}},
        "flink_configuration",
        "must not set parallelism.default: use parallelism",
    ),
    (
        {"flink_configuration": {"state.savepoints.dir": "/x"}},
        "flink_configuration",
        "must not set state.savepoints.dir: use savepoint_directory",
    ),
    ({"savepoint_directory": ""}, "savepoint_directory", _NO_PATH),
    ({"savepoint_directory": "sp"}, "savepoint_directory", "must be a URI or an absolute path"),
    ({"desired_state": "paused"}, "desired_state", "must be 'running' or 'stopped'"),
    (
        {"upgrade_mode": "state-less"},
        "upgrade_mode",
        "must be 'savepoint', 'last-state', 'stateless' or 'blue-green' (got",
    ),
    ({"restore_from": " /x"}, "restore_from", _BLANKS),
    ({"restore_from": 3.0}, "restore_from", "must be a text"),
    ({"adopt": ""}, "adopt", "must not be empty"),
    ({"adopt": 3.0}, "adopt", "must be a text (got 3)"),
    ({"move": "maybe"}, "move", "must be true or false"),
    ({"allow_no_way_back": "maybe"}, "allow_no_way_back", "must be true or false"),
    ({"max_checkpoint_age": "0s"}, "max_checkpoint_age", _DURATION),
    ({"allow_non_restored_state": "maybe"}, "allow_non_restored_state", "must be true or false"),
    ({"state_check": "always"}, "state_check", "must be 'strict', 'warn' or 'off'"),
    ({"health": "30s"}, "health", "must be an object"),
    ({"health": {"window": "61m"}}, "health.window", "must be at most \"1h\" (got '61m')"),
    ({"health": {"max_restarts": 0.5}}, "health.max_restarts", "must be a whole number"),
    (
        {"health": {"max_checkpoint_slowdown": True}},
        "health.max_checkpoint_slowdown",
        "must be a num",
    ),
    ({"health": {"max_lag_growth": "0s"}}, "health.max_lag_growth", _DURATION),
    ({"health": {"require_output": 3.0}}, "health.require_output", "must be true or false"),
    ({"health": {"max_exceptions": -1.0}}, "health.max_exceptions", "must be greater"),
    ({"health": {"min_checkpoint": 1.0}}, "health.min_checkpoint", _UNKNOWN),
    ({"savepoint_retention": "7d"}, "savepoint_retention", "must be an object"),
    (
        {"savepoint_retention": {"count": 0}},
        "savepoint_retention.count",
        "must be greater than or equal",
    ),
    ({"savepoint_retention": {"max_age": "0s"}}, "savepoint_retention.max_age", _DURATION),
    ({"savepoint_retention": {"ages": "7d"}}, "savepoint_retention.ages", _UNKNOWN),
    ({"rehearsal": "30s"}, "rehearsal", "must be an object"),
    ({"rehearsal": {"window": "1m"}}, "rehearsal", "must have args or flink_configuration other"),
    ({"rehearsal": {"args": ["x"], "window": "61m"}}, "rehearsal.window", 'must be at most "1h"'),
    ({"rehearsal": {"args": ["x"], "windows": "1m"}}, "rehearsal.windows", _UNKNOWN),
    ({"savepoint_format": "json"}, "savepoint_format", "must be 'canonical' or 'native'"),
    ({"savepoint_trigger": ["x"]}, "savepoint_trigger", "must be a text"),
    ({"restart_trigger": 1.0}, "restart_trigger", "must be a text (got 1)"),
    ({"on_delete": "drop"}, "on_delete", "must be 'cancel', 'savepoint' or 'release' (got"),
    ({"drain": "maybe"}, "drain", "must be true or false"),
    ({"settle_time": "2h"}, "settle_time", "must be at most"),
    ({"timeouts": "10m"}, "timeouts", "must be an object"),
    ({"timeouts": {"submit": "10"}}, "timeouts.submit", f"{_DURATION} (got '10')"),
    ({"timeouts": {"running": 10.0}}, "timeouts.running", 'must carry its unit, such as "10s"'),
    ({"timeouts": {"savepoint": "0s"}}, "timeouts.savepoint", _DURATION),
    ({"timeouts": {"cancel": "10 minutes"}}, "timeouts.cancel", _DURATION),
    ({"timeouts": {"start": "10s"}}, "timeouts.start", _UNKNOWN),
    ({"dli": {"cu_number": 2.0}}, "dli", "must not be given: the target is not one of Data Lake"),
    ({"paralellism": 3.0}, "paralellism", _UNKNOWN),
    ({"jar_digest": "0" * 64}, "jar_digest", "the jar's content is "),
]


def _named(case: object) -> str | None:
    return f"{case}"[:50] if isinstance(case, dict) else ""


@pytest.mark.parametrize(("replaced", "path", "reason"), WRONG, ids=_named)
def test_a_wrong_property_is_named(
    check: Check, replaced: dict[str, Any], path: str, reason: str
) -> None:
    """One wrong property gives one problem, in one line, that shows nothing secret."""
    problems = check(**replaced)
    assert len(problems) == 1, problems
    assert problems[0][0] == path
    assert problems[0][1].startswith(reason), problems[0][1]
    assert "\n" not in problems[0][1]
    assert "pass" not in problems[0][1]


def test_every_property_is_in_the_table() -> None:
    """No property of a job is left out above."""
    assert {path.split(".")[0].split("[")[0] for _, path, _ in WRONG} >= set(JobSpec.model_fields)


def test_all_problems_come_in_one_report(check: Check) -> None:
    """Several properties wrong at once are all named: the user mends them in one go."""
    problems = check(
        target={"kind": "flink", "url": "host", "bearer_token": "pass"},
        job_name="My Orders",
        parallelism=0.0,
        timeouts={"submit": "soon"},
        paralellism=3.0,
    )
    assert [path for path, _ in problems] == [
        "target.url",
        "target.bearer_token",
        "job_name",
        "parallelism",
        "timeouts.submit",
        "paralellism",
    ]


def test_the_jar_is_looked_at_beside_other_problems(check: Check) -> None:
    """A jar that is not there is named together with a property that is wrong."""
    problems = check(jar="/nowhere/o.jar", parallelism=0.0)
    assert [path for path, _ in problems] == ["parallelism", "jar"]


@pytest.mark.parametrize("value", [["correct horse"], {"key": "correct horse"}, 4711.0])
@pytest.mark.parametrize("name", ["args", "flink_configuration", "target"])
def test_what_may_be_secret_is_not_repeated(check: Check, name: str, value: object) -> None:
    """Arguments, configuration and headers may hold secrets: a report of them shows no values."""
    wrapped: object = {"nested": {"nested": value}} if name != "args" else [value]
    for problem in check(**{name: wrapped}) + check(**{name: value}):
        assert "correct horse" not in problem[1]
        assert "4711" not in problem[1]


def test_a_file_that_is_no_jar(check: Check, tmp_path: Path) -> None:
    """A text file, an empty file and a jar without entry class are told apart."""
    text, empty, bare = (tmp_path / name for name in ("text.jar", "empty.jar", "bare.jar"))
    text.write_text("<html>404</html>")
    empty.touch()
    with zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("Main.class", b"")
    assert check(jar=str(text)) == [("jar", f"{text} is not a jar (no zip archive).")]
    assert check(jar=str(empty)) == [("jar", f"{empty} is not a jar (no zip archive).")]
    wanted = [("entry_class", "is required: the jar's manifest names no Main-Class")]
    assert check(jar=str(bare)) == wanted
    assert check(jar=str(bare), entry_class="Main") == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, "does not exist"), (410, "does not exist"), (401, "401"), (503, "503")],
)
def test_a_web_server_without_the_jar(
    check: Check, status: int, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server that has no such file is told from one that refuses it, or cannot give it now."""
    monkeypatch.setenv("FLINK_JOBS_CACHE", str(tmp_path))
    with FaultProxy(_URL, lambda _exchange, _moment: Answer(status)) as server:
        problems = check(jar=f"{server.url}/orders.jar")
    assert [path for path, _ in problems] == ["jar"]
    assert reason in problems[0][1]
    assert ("does not exist" in problems[0][1]) == (status in (404, 410))


def test_a_page_instead_of_the_jar(
    check: Check, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server that answers any address with a page gives no jar, and nothing is kept of it."""
    monkeypatch.setenv("FLINK_JOBS_CACHE", str(tmp_path))
    with FaultProxy(_URL, lambda _exchange, _moment: Answer(200)) as server:
        url = f"{server.url}/orders.jar"
        assert check(jar=url) == [("jar", f"{url} is not a jar (no zip archive).")]
    assert list(tmp_path.rglob("*.*")) == []
