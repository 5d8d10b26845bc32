"""Specs: what is wrong is told by its path, with what would be right."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flink_jobs_provider.job_files import job_file_schema
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.rehearsal import SAME_OUTPUT
from flink_jobs_provider.model.savepoint import Savepoint
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.validation import problems_of
from tests.unit.model.made_up_jobs import OWNER, SAVEPOINT, URL, record_with_savepoint, spec

LEAST: dict[str, Any] = {
    "target": {"url": URL},
    "job_name": "orders",
    "owner": OWNER,
    "jar": "orders.jar",
}

#: What is wrong: (inputs, path, words that say what would be right).
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"job_name": "Orders"}, "job_name", "must be 1 to 63 lower-case letters, digits and dashes"),
    ({"job_name": ""}, "job_name", "must be 1 to 63"),
    ({"job_name": "-orders"}, "job_name", "beginning and ending with a letter or digit"),
    ({"job_name": "o" * 64}, "job_name", "must be 1 to 63"),
    ({"job_name": 3}, "job_name", "must be a text"),
    ({"owner": ""}, "owner", "must not be empty"),
    ({"jar": ""}, "jar", "must be a path or URI"),
    ({"jar": " a.jar"}, "jar", "without blanks around it"),
    ({"jar_digest": "abc"}, "jar_digest", "must match pattern"),
    ({"entry_class": ""}, "entry_class", "must not be empty"),
    ({"args": [1]}, "args[0]", "must be a text"),
    ({"args": {"a": "b"}}, "args", "must be a list of texts"),
    ({"parallelism": 0}, "parallelism", "must be greater than or equal to 1"),
    ({"parallelism": 40000}, "parallelism", "must be less than or equal to 32768"),
    ({"parallelism": 2.5}, "parallelism", "must be a whole number"),
    ({"parallelism": True}, "parallelism", "must be a whole number"),
    ({"parallelism": "many"}, "parallelism", "must be a whole number"),
    ({"flink_configuration": ["a"]}, "flink_configuration", "must be a map of texts"),
    ({"flink_configuration": {"a": ["b"]}}, "flink_configuration.a", "must be a text"),
    (
        {"flink_configuration": {"parallelism.default": "3"}},
        "flink_configuration",
        "must not set parallelism.default: use parallelism",
    ),
    (
        {"flink_configuration": {"state.savepoints.dir": "/s"}},
        "flink_configuration",
        "use savepoint_directory",
    ),
    ({"savepoint_directory": "savepoints"}, "savepoint_directory", "a URI or an absolute path"),
    ({"desired_state": "paused"}, "desired_state", "must be 'running' or 'stopped'"),
    (
        {"upgrade_mode": "fast"},
        "upgrade_mode",
        "must be 'savepoint', 'last-state', 'stateless' or 'blue-green'",
    ),
    ({"restore_from": ""}, "restore_from", "must be a path or URI"),
    ({"allow_non_restored_state": "perhaps"}, "allow_non_restored_state", "true or false"),
    ({"drain": "maybe"}, "drain", "must be true or false"),
    ({"max_checkpoint_age": "soon"}, "max_checkpoint_age", "must be a duration above zero"),
    ({"state_check": "maybe"}, "state_check", "must be 'strict', 'warn' or 'off'"),
    ({"parallelism_managed_by": "me"}, "parallelism_managed_by", "must be 'provider' or 'other'"),
    ({"health": "30s"}, "health", "must be an object"),
    ({"health": {"window": "2h"}}, "health.window", "must be at most \"1h\" (got '2h')"),
    ({"health": {"window": 30}}, "health.window", 'must carry its unit, such as "30s"'),
    ({"health": {"max_restarts": -1}}, "health.max_restarts", "greater than or equal to 0"),
    ({"health": {"min_checkpoints": 0}}, "health.min_checkpoints", "greater than or equal to 1"),
    (
        {"health": {"max_checkpoint_slowdown": 0.5}},
        "health.max_checkpoint_slowdown",
        "greater than or equal to 1",
    ),
    ({"health": {"max_lag_growth": 30}}, "health.max_lag_growth", 'its unit, such as "30s"'),
    ({"health": {"on_failure": "stop"}}, "health.on_failure", "must be 'rollback' or 'keep'"),
    ({"health": {"windows": "30s"}}, "health.windows", "is not a property"),
    ({"savepoint_retention": 5}, "savepoint_retention", "must be an object"),
    ({"savepoint_retention": {"count": 0}}, "savepoint_retention.count", "greater than or equal"),
    ({"savepoint_retention": {"count": 51}}, "savepoint_retention.count", "less than or equal"),
    ({"savepoint_retention": {"max_age": 7}}, "savepoint_retention.max_age", "carry its unit"),
    ({"savepoint_retention": {"keep": 3}}, "savepoint_retention.keep", "is not a property"),
    ({"rehearsal": "30s"}, "rehearsal", "must be an object"),
    ({"rehearsal": {"argument": []}}, "rehearsal.argument", "is not a property"),
    ({"rehearsal": {"args": [7]}}, "rehearsal.args[0]", "must be a text"),
    ({"rehearsal": {"parallelism": 0}}, "rehearsal.parallelism", "greater than or equal to 1"),
    ({"rehearsal": {"args": ["x"], "window": "2h"}}, "rehearsal.window", 'must be at most "1h"'),
    ({"rehearsal": {}}, "rehearsal", SAME_OUTPUT),
    ({"rehearsal": {"args": ["x"]}, "args": ["x"]}, "rehearsal", SAME_OUTPUT),
    (
        {"rehearsal": {"flink_configuration": {"parallelism.default": "3"}}},
        "rehearsal.flink_configuration",
        "must not set parallelism.default: use parallelism",
    ),
    ({"savepoint_format": "zip"}, "savepoint_format", "must be 'canonical' or 'native'"),
    ({"savepoint_trigger": ["a"]}, "savepoint_trigger", "must be a text"),
    ({"restart_trigger": ["a"]}, "restart_trigger", "must be a text"),
    ({"adopt": ""}, "adopt", "must not be empty"),
    ({"move": "perhaps"}, "move", "true or false"),
    ({"allow_no_way_back": "perhaps"}, "allow_no_way_back", "true or false"),
    ({"on_delete": "keep"}, "on_delete", "must be 'cancel', 'savepoint' or 'release'"),
    ({"timeouts": {"running": "soon"}}, "timeouts.running", 'such as "90s", "10m" or "1h30m"'),
    ({"timeouts": {"submit": 30}}, "timeouts.submit", 'must carry its unit, such as "30s"'),
    ({"timeouts": {"start": "1m"}}, "timeouts.start", "is not a property"),
    ({"settle_time": "61m"}, "settle_time", "must be at most \"1h\" (got '61m')"),
    ({"settle_time": "soon"}, "settle_time", 'such as "10s" or "2m", or "0s" not to wait'),
    ({"settle_time": "-1s"}, "settle_time", 'such as "10s" or "2m", or "0s" not to wait'),
    ({"settle_time": -1}, "settle_time", 'must carry its unit, such as "10s" (got -1)'),
    ({"settle_time": 2}, "settle_time", 'must carry its unit, such as "2s" (got 2)'),
    ({"timeouts": {"submit": 0}}, "timeouts.submit", 'its unit, such as "90s" (got 0)'),
    ({"timeouts": {"submit": 1.5}}, "timeouts.submit", 'its unit, such as "90s" (got 1.5)'),
    ({"timeouts": {"submit": 90}}, "timeouts.submit", 'its unit, such as "90s" (got 90)'),
    ({"settle_time": ""}, "settle_time", "must be a duration"),
    ({"settle_time": 0}, "settle_time", 'must carry its unit, such as "0s"'),
    ({"paralelism": 3}, "paralelism", "is not a property of a Flink job"),
    ({"timeouts": {"savepoint": "8d"}}, "timeouts.savepoint", "must be at most \"7d\" (got '8d')"),
    ({"jar": "/jars/\0.jar"}, "jar", "must not hold a NUL character"),
    ({"args": ["a", "\ud800"]}, "args[1]", "must not hold a NUL character, or half of a"),
    ({"flink_configuration": {"a": "b\0"}}, "flink_configuration.a", "must not hold a NUL"),
    ({"job_name": "orders "}, "job_name", "without blanks around it"),
    ({"job_name": " orders"}, "job_name", "without blanks around it"),
    ({"entry_class": "shop.Orders "}, "entry_class", "without blanks around it"),
    ({"restore_from": "savepoints/1"}, "restore_from", "must be a URI or an absolute path"),
    (
        {"target": {"url": URL, "tls": {"key_file": "me.key"}}},
        "target.tls.key_file",
        "must be given with certificate_file",
    ),
    ({"restore_from": "/savepoints/1\n"}, "restore_from", "without blanks around it"),
    ({"savepoint_directory": " /savepoints"}, "savepoint_directory", "without blanks around it"),
    ({"target": {"url": f"{URL} "}}, "target.url", "without blanks around it"),
    ({"target": {"url": f" {URL}"}}, "target.url", "without blanks around it"),
    ({"target": {"url": "http://fli nk:8081"}}, "target.url", "must hold no blanks"),
    (
        {"target": {"url": URL, "bearer_token": "env:TOKEN "}},
        "target.bearer_token",
        "without blanks around it",
    ),
    (
        {"target": {"url": URL, "headers": {"X-A": "b\n"}}},
        "target.headers.X-A",
        "without blanks around it",
    ),
    (
        {"target": {"url": URL, "tls": {"ca_file": "ca.pem\t"}}},
        "target.tls.ca_file",
        "without blanks around it",
    ),
    ({"target": "http://flink:8081"}, "target", "must be"),
    ({"target": {}}, "target.url", "is required"),
    ({"target": {"url": "flink:8081"}}, "target.url", "must be a URL such as http://host:8081"),
    ({"target": {"url": "http://flink:99999"}}, "target.url", "must be a URL"),
    ({"target": {"url": "http://me:pw@flink"}}, "target.url", "use basic_auth or bearer_token"),
    ({"target": {"url": f"{URL}?a=b"}}, "target.url", "no query"),
    (
        {"target": {"url": URL, "bearer_token": "hunter2"}},
        "target.bearer_token",
        "env:NAME or config:KEY",
    ),
    (
        {"target": {"url": URL, "basic_auth": {"username": "me", "password": "hunter2"}}},
        "target.basic_auth.password",
        "env:NAME or config:KEY",
    ),
    (
        {"target": {"url": URL, "headers": {"Authorization": "Bearer x"}}},
        "target.headers.Authorization",
        "use basic_auth or bearer_token",
    ),
    ({"target": {"url": URL, "kind": "dlx"}}, "target.kind", "must be 'flink'"),
    ({"dli": {"desc": "x"}, "target": {"url": URL}}, "dli", "the target is not one of Data"),
]


@pytest.mark.parametrize(("inputs", "path", "words"), WRONG, ids=[str(row[0]) for row in WRONG])
def test_what_is_wrong(inputs: dict[str, Any], path: str, words: str) -> None:
    ((where, why),) = problems_of(LEAST | inputs)
    assert where == path
    assert words in why
    assert "hunter2" not in why
    assert "\n" not in why


def test_every_input_can_be_wrong() -> None:
    """Shows that the table above leaves out no input."""
    assert {path.split(".")[0].split("[")[0] for _, path, _ in WRONG} >= set(JobSpec.model_fields)


@pytest.mark.parametrize("name", ["target", "job_name", "owner", "jar"])
def test_required(name: str) -> None:
    rest = {key: value for key, value in LEAST.items() if key != name}
    assert problems_of(rest) == [(name, "is required")]


def test_several_at_once() -> None:
    wrong = LEAST | {"parallelism": 0, "job_name": "A", "timeouts": {"cancel": "x", "submit": "y"}}
    assert sorted(path for path, _ in problems_of(wrong)) == [
        "job_name",
        "parallelism",
        "timeouts.cancel",
        "timeouts.submit",
    ]


@pytest.mark.parametrize(("inputs", "path", "_words"), WRONG, ids=[row[1] for row in WRONG])
def test_unknowns_pass(inputs: dict[str, Any], path: str, _words: str) -> None:
    """Shows that an input whose value is not known yet is not judged."""
    unknown = object()
    name = next(iter(inputs))
    assert (name == path.split(".")[0].split("[")[0]) is True
    if name != "paralelism":
        assert problems_of(LEAST | {name: unknown}, lambda value: value is unknown) == []


@pytest.mark.parametrize(
    ("given", "args"),
    [
        ("--a  b\tc", ["--a", "b", "c"]),
        (["--a", "b c", "", '"q"'], ["--a", "b c", "", '"q"']),
        ("", []),
    ],
)
def test_args(given: object, args: list[str]) -> None:
    assert spec(args=given).args == args


@pytest.mark.parametrize(
    ("given", "text"),
    [(True, "true"), (False, "false"), (3, "3"), (3.0, "3"), (0.5, "0.5"), ("x", "x")],
)
def test_configuration_values_are_written_as_flink_does(given: object, text: str) -> None:
    assert spec(flink_configuration={"a": given}).flink_configuration == {"a": text}


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(
    parallelism=st.integers(1, 32768),
    generation=st.integers(0, 2**24 - 1),
    running=st.none() | st.integers(1, 32768),
    args=st.lists(st.text(max_size=8), max_size=4),
    configuration=st.dictionaries(st.text("abc.", min_size=1), st.text(max_size=8), max_size=3),
    allow=st.booleans(),
)
def test_records_come_back_from_the_state(
    parallelism: int,
    generation: int,
    running: int | None,
    args: list[str],
    configuration: dict[str, str],
    allow: bool,
) -> None:
    """Shows the way through Pulumi's state: every number becomes a float, and none is dropped."""
    wanted = spec(
        parallelism=parallelism,
        args=args,
        flink_configuration=configuration,
        allow_non_restored_state=allow,
        target={"url": URL, "headers": {"X-A": "b"}},
    )
    known = record_with_savepoint(wanted, generation=generation, running_parallelism=running)
    state = _floats(json.loads(json.dumps(known.outputs())))
    assert JobRecord.from_outputs(state) == known
    assert JobRecord.from_outputs({**state, "__provider": "x", "of_a_later_version": 1}) == known


def test_a_gate_that_would_leave_two_versions_running_is_refused() -> None:
    given = LEAST | {"health": {"on_failure": "keep"}, "upgrade_mode": "blue-green"}
    assert problems_of(given) == [
        (
            "health.on_failure",
            'must not be "keep" with upgrade_mode "blue-green": both versions would run on',
        )
    ]
    assert problems_of(given | {"upgrade_mode": "savepoint"}) == []


def test_what_an_older_version_recorded_is_read() -> None:
    """Shows that rules for inputs alone keep no state from being read, or from going on."""
    loose = {
        "target": {"url": "http://flink/one ", "headers": {"X-A": " b", "X-B": "ü"}},
        "entry_class": "shop.Orders ",
        "timeouts": {"running": "400d"},
    }
    assert {path for path, _ in problems_of(LEAST | loose)} == {
        *("target.url", "target.headers.X-A", "target.headers.X-B", "entry_class"),
        "timeouts.running",
    }
    assert problems_of(LEAST | loose, recorded=True) == []
    outputs = {**LEAST, **loose, "jar_digest": "1" * 64, "status": "RUNNING", "job_id": "a" * 32}
    read = JobRecord.from_outputs(outputs)
    assert read.spec.entry_class == "shop.Orders "
    assert read.spec.timeout("running") == 400 * 86400
    assert JobRecord.from_outputs(read.outputs()) == read


def test_texts_that_are_the_users_keep_their_blanks() -> None:
    free = {"args": [" a "], "flink_configuration": {"a": " b"}, "restart_trigger": "now "}
    assert problems_of(LEAST | free | {"owner": "shop ", "savepoint_trigger": " 1"}) == []


def test_a_savepoint_is_put_first_once() -> None:
    known = record_with_savepoint().with_savepoint(Savepoint(path="/s/2"))
    known = known.with_savepoint(Savepoint(path=SAVEPOINT, taken_at="later"))
    assert [savepoint.path for savepoint in known.savepoints] == [SAVEPOINT, "/s/2"]
    assert known.last_savepoint == SAVEPOINT


SCHEMA = Draft202012Validator(job_file_schema())


def test_all_options_that_have_an_input_are_named() -> None:
    """Shows each as a problem of its own, also where a value is wrong as well."""
    options: dict[str, Any] = {"parallelism.default": "3", "a": [1], "state.savepoints.dir": "/x"}
    found = problems_of(LEAST | {"flink_configuration": options})
    assert sorted(found) == [
        ("flink_configuration", "must not set parallelism.default: use parallelism"),
        ("flink_configuration", "must not set state.savepoints.dir: use savepoint_directory"),
        ("flink_configuration.a", "must be a text (got a list instead)"),
    ]
    del options["a"]
    assert len(problems_of(LEAST | {"flink_configuration": options})) == 2


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(job_file_schema())
    assert SCHEMA.is_valid({"job_name": "orders", "jar": "orders.jar"})


@pytest.mark.parametrize(
    ("inputs", "path", "_words"),
    [
        row
        for row in WRONG
        if row[1] not in ("owner", "jar_digest")
        and not row[1].startswith(("target", "restore_from", "jar", "savepoint_directory"))
        and "must not set" not in row[2]
        and "without blanks" not in row[2]
        and "must not hold a NUL" not in row[2]
        and 'must be at most "' not in row[2]
        and row[2] not in ("use savepoint_directory", SAME_OUTPUT)
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_model_refuses(
    inputs: dict[str, Any], path: str, _words: str
) -> None:
    assert not SCHEMA.is_valid({"job_name": "orders", "jar": "orders.jar"} | inputs), path


_text = partial(st.text, st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALID = st.fixed_dictionaries(
    {
        "job_name": st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True),
        "jar": st.from_regex(r"[a-z/]{1,20}\.jar", fullmatch=True),
    },
    optional={
        "entry_class": _text(min_size=1, max_size=20).filter(lambda text: text == text.strip()),
        "args": st.lists(_text(max_size=5), max_size=3) | _text(max_size=10),
        "parallelism": st.integers(1, 32768),
        "flink_configuration": st.dictionaries(
            st.text("ab.", min_size=1, max_size=5),
            _text(max_size=5) | st.integers() | st.booleans(),
        ),
        "desired_state": st.sampled_from(["running", "stopped"]),
        "upgrade_mode": st.sampled_from(["savepoint", "last-state", "stateless", "blue-green"]),
        "restore_from": st.just("s3://b/k"),
        "adopt": _text(min_size=1, max_size=9).filter(lambda text: text == text.strip()),
        "move": st.booleans(),
        "allow_no_way_back": st.booleans(),
        "allow_non_restored_state": st.booleans(),
        "drain": st.booleans(),
        "max_checkpoint_age": st.sampled_from(["90s", "1h"]),
        "state_check": st.sampled_from(["strict", "warn", "off"]),
        "parallelism_managed_by": st.sampled_from(["provider", "other"]),
        "savepoint_format": st.sampled_from(["canonical", "native"]),
        "savepoint_trigger": _text(max_size=5),
        "on_delete": st.sampled_from(["cancel", "savepoint", "release"]),
        "settle_time": st.sampled_from(["0s", "10s", "1h"]),
        "health": st.fixed_dictionaries(
            {},
            optional={
                "window": st.just("2m"),
                "max_restarts": st.integers(0, 5),
                "max_checkpoint_slowdown": st.floats(1, 10),
                "on_failure": st.sampled_from(["rollback", "keep"]),
            },
        ),
        "timeouts": st.fixed_dictionaries({}, optional={"running": st.just("5m")}),
    },
)


def _goes_together(job: dict[str, Any]) -> bool:
    """Whether no rule for two inputs at once, which a schema does not have, refuses a job."""
    keeps = job.get("health", {}).get("on_failure") == "keep"
    return not (keeps and job.get("upgrade_mode") == "blue-green")


@given(VALID.filter(_goes_together))
def test_schema_and_model_take_the_same(job: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(job)
    assert problems_of({"target": {"url": URL}, "owner": OWNER, **job}) == []
