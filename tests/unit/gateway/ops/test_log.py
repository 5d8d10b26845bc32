"""The log: one stream, in one form, without secrets."""

from __future__ import annotations

import json
import logging
import warnings
from io import StringIO
from typing import Any

import pytest
import structlog
from pydantic import BaseModel

from flink_jobs_provider.gateway.ops.log import configure_logging

pytestmark = pytest.mark.usefixtures("logging_as_it_was")

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJNQVJLRVIifQ.c2lnbmF0dXJl"


def logged(write: Any, level: str = "debug", style: str = "json") -> str:
    stream = StringIO()
    configure_logging(level, style, stream)
    write()
    return stream.getvalue()


def event(write: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(logged(write))
    return found


def test_an_event_carries_what_its_context_has() -> None:
    def write() -> None:
        structlog.contextvars.bind_contextvars(request_id="r1", action_id="a1")
        structlog.get_logger("gateway.actions").info("action begun", job="orders")

    line = event(write)
    assert line["event"] == "action begun"
    assert line["level"] == "info"
    assert line["logger"] == "gateway.actions"
    assert (line["request_id"], line["action_id"], line["job"]) == ("r1", "a1", "orders")
    assert line["timestamp"].endswith("Z")


def test_libraries_log_through_it_too() -> None:
    line = event(lambda: logging.getLogger("uvicorn.error").info("Started [%d]", 7))
    assert (line["event"], line["logger"]) == ("Started [7]", "uvicorn.error")
    with pytest.warns(UserWarning, match="old"):
        warnings.warn("old", UserWarning, stacklevel=1)


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "sqlalchemy.engine", "alembic"])
def test_what_libraries_say_of_each_request_is_left_out(name: str) -> None:
    assert not logged(lambda: logging.getLogger(name).info("SELECT 'MARKER'"))


def test_the_level_holds() -> None:
    def write() -> None:
        structlog.get_logger("gateway").info("small")
        structlog.get_logger("gateway").error("large")

    assert [json.loads(line)["event"] for line in logged(write, "error").splitlines()] == ["large"]


def test_the_console_style_is_for_people() -> None:
    text = logged(
        lambda: structlog.get_logger("gateway").info("begun", job="a\nb"), style="console"
    )
    assert "begun" in text
    assert len(text.splitlines()) == 1


#: Put together here, since a traceback shows the lines of the source.
SECRET = "".join(["MAR", "KER"])


class Spec(BaseModel):
    """Something with a secret argument."""

    args: int
    inner: dict[str, int]


def _wrong_spec() -> None:
    Spec.model_validate({"args": SECRET, "inner": {"a": SECRET}})


def _nested() -> None:
    try:
        _wrong_spec()
    except ValueError as error:
        raise RuntimeError(f"it failed with Bearer {SECRET}") from error


class DatabaseError(Exception):
    """An error that quotes a statement as SQLAlchemy does."""


def _database() -> None:
    raise DatabaseError(
        "(psycopg.errors.NotNullViolation) null value\n"
        f"DETAIL:  Failing row contains (1, {SECRET}).\n"
        "[SQL: INSERT INTO actions (wanted) VALUES (%(wanted)s)]\n"
        f"[parameters: {{'wanted': '{{\"args\": [\"{SECRET}\"]}}', 'ids': [1]}}]\n"
        "(Background on this error at: https://sqlalche.me/e/20/gkpj)"
    )


@pytest.mark.parametrize("fails", [_wrong_spec, _nested, _database])
@pytest.mark.parametrize("through", ["structlog", "logging"])
def test_a_traceback_shows_where_and_no_input(fails: Any, through: str) -> None:
    """Shows that wrong inputs, which errors of libraries quote, are left out; the place is not."""

    def write() -> None:
        try:
            fails()
        except Exception:
            if through == "structlog":
                structlog.get_logger("gateway").exception("unforeseen")
            else:
                logging.getLogger("uvicorn.error").exception("unforeseen")

    text = logged(write)
    assert "MARKER" not in text
    line = json.loads(text)
    assert line["event"] == "unforeseen"
    assert f"in {fails.__name__}" in line["exception"]
    if fails is _nested:
        assert "in _wrong_spec" in line["exception"]
        assert "args" in line["exception"]


@pytest.mark.parametrize(
    "values",
    [
        {"authorization": "Bearer MARKER"},
        {"x-auth-token": "MARKER"},
        {"secret_key": "MARKER"},
        {"Token": "MARKER"},
        {"args": ["--password", "MARKER"]},
        {"flinkConfiguration": {"s3.secret-key": "MARKER"}},
        {"body": {"properties": {"args": "MARKER"}}},
        {"spec": {"job_name": "a", "args": ["MARKER"]}},
        {"jobs": [{"flink_configuration": {"k": "MARKER"}}]},
        {"note": "Authorization: Bearer MARKER"},
        {"note": "basic MARKER"},
        {"note": "fjg_MARKERMARKERMARKER"},
        {"note": f"token {JWT} was refused"},
        {"url": "postgresql+psycopg://gateway:MARKER@db/gateway"},
        {"url": "https://MARKER@host/x"},
        {"error": ValueError("Bearer MARKER")},
    ],
)
def test_secrets_are_masked(values: dict[str, Any]) -> None:
    text = logged(lambda: structlog.get_logger("gateway").info("said", **values))
    assert "MARKER" not in text
    assert JWT not in text
    assert "***" in text


def test_what_is_no_secret_stays() -> None:
    values: dict[str, Any] = {"job": "orders", "seconds": 1.5, "ok": True, "none": None}
    line = event(lambda: structlog.get_logger("gateway").info("said", **values))
    assert {name: line[name] for name in values} == values


def test_no_value_can_forge_a_line() -> None:
    text = logged(lambda: structlog.get_logger("g").info("a\nb", job='x\n{"event": "forged"}'))
    assert len(text.splitlines()) == 1


def test_a_signature_is_hidden_where_its_request_is_quoted() -> None:
    text = logged(
        lambda: structlog.get_logger("gateway").info(
            "odd", note=f"SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature={'ab' * 32}"
        )
    )
    assert "Access=A" in text
    assert "abab" not in text
