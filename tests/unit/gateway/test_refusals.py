"""What an action reports: a text, and data that each API words by its own actions and fields."""

from __future__ import annotations

import ast
import asyncio
import re
import shutil
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.apis.dli.conventions import CALL_WORDS
from flink_jobs_provider.gateway.refusals import (
    ACTION_WORDS,
    ActionRemedy,
    ErrorOutput,
    in_words,
    read_output,
    stored_output,
)
from flink_jobs_provider.model.errors import ClusterRefused, StateUnavailable
from flink_jobs_provider.model.remedies import Remedy, RemedyCode, Wording
from flink_jobs_provider.model.spec import JobSpec
from tests.unit.gateway.jobs.gateway import Gateway, make_jar

_SOURCE = Path(__file__).resolve().parents[3] / "flink_jobs_provider"
#: Where the words of a gateway's errors are from.
_FILES = [
    *_SOURCE.glob("reconciling/*.py"),
    *_SOURCE.glob("reconciling/flink/*.py"),
    *_SOURCE.glob("control_planes/flink/*.py"),
    *_SOURCE.glob("artifacts/*.py"),
    _SOURCE / "gateway/jobs/executor.py",
    _SOURCE / "gateway/jobs/transitions.py",
]
_INPUTS = [name for name in JobSpec.model_fields if "_" in name]
_OURS = re.compile(
    rf"(?<![\w./-])({'|'.join(_INPUTS)})(?![\w/-])|\btarget\.|\"(?:stateless|last-state|stopped)\""
)
_OF_ARM = re.compile(
    r"\b(savePointName|jobName|entryClass|flinkConfiguration|RE_LAUNCH|\w*_UPDATE|UPDATE|CANCEL)\b"
)
_FACT = re.compile(r"\{(\w+)\}")
#: Words of errors that a gateway does not raise: of uploads to other targets, of other owners, of
#: jobs that are adopted, released or moved, and of an input that neither of its APIs has.
_NOT_A_GATEWAYS = (
    *("jar_upload_directory", "set owner, if the stack was renamed"),
    *("takes it over", "{field}: job <> of this stack runs", "Remove adopt"),
    *("a storage that both clusters reach", "max_checkpoint_age"),
)


_ERROR = StateUnavailable(
    "orders: it is LOST", now="Nothing was started", remedy=Remedy.RESTORE_OR_EMPTY_OR_STOPPED
)
_TEXT = (
    "orders: it is LOST. Nothing was started. START or RE_LAUNCH with a savepoint starts it from "
    "there; STATELESS_UPDATE starts it from nothing."
)


def _text(node: ast.AST) -> str | None:
    """Return a text of the source, `<>` where a value is put in; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "<>" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (_text(node.left) or "<>") + (_text(node.right) or "<>")
    return None


def _said() -> list[str]:
    """Return the sentences of errors: what is passed to them, and what is put together before."""
    found = []
    for path in _FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            values: list[ast.AST] = []
            if isinstance(node, ast.Call):
                values = [*node.args, *(word.value for word in node.keywords)]
            elif isinstance(node, ast.Assign | ast.AugAssign | ast.Return) and node.value:
                values = [node.value]
            texts = [text for text in map(_text, values) if text and " " in text.strip()]
            found += [text for text in texts if not any(no in text for no in _NOT_A_GATEWAYS)]
    return found


def test_no_error_names_an_input_of_ours() -> None:
    """Shows of every sentence in the source that such a name is data: a remedy, or a field."""
    assert len(_said()) > 100, "there are sentences"
    assert [text for text in _said() if _OURS.search(text)] == []


def test_no_error_names_a_property_of_an_api() -> None:
    """Shows it of every sentence in the source that either API may answer with."""
    assert [text for text in _said() if _OF_ARM.search(text)] == []


@pytest.mark.parametrize("remedy", [*Remedy, *ActionRemedy])
@pytest.mark.parametrize(
    ("wording", "foreign"), [(ACTION_WORDS, [_OURS]), (CALL_WORDS, [_OURS, _OF_ARM])]
)
def test_each_api_words_each_remedy(
    remedy: RemedyCode, wording: Wording, foreign: list[re.Pattern[str]]
) -> None:
    """Shows that none is left in the words of others; and that each has its facts."""
    facts = dict.fromkeys(_FACT.findall(remedy.value), "<fact>")
    sentence = wording.remedy(remedy.of(**facts))
    assert [found.group() for words in foreign for found in words.finditer(sentence)] == []
    assert "{" not in sentence
    assert "pulumi" not in sentence.lower()
    assert "timeouts." not in sentence
    assert "--refresh" not in sentence


def test_last_state_update_without_a_retained_checkpoint(tmp_path: Path) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        row = await gateway.do("LAST_STATE_UPDATE")
        assert row.result == "FAILED"
        job_id = (await gateway.row()).record.job_id
        assert row.output == (
            "orders: an upgrade from its last state needs a completed checkpoint that is retained "
            f"when the job is cancelled. Job {job_id} goes on as it was. Set "
            "execution.checkpointing.externalized-checkpoint-retention to RETAIN_ON_CANCELLATION "
            "in flinkConfiguration with an UPDATE first, or use UPDATE alone, which takes a "
            "savepoint."
        )

    async def run() -> None:
        async with Gateway(tmp_path).running() as gateway:
            await life(gateway)

    asyncio.run(run())


def test_settings_of_the_gateway_are_named_as_its_own() -> None:
    """Shows it of a remedy, and of a property within what happened."""
    error = ClusterRefused(
        "{field} refers to env:X, and there is no such environment variable",
        field="target.bearer_token",
        remedy=Remedy.CHECK_CREDENTIALS,
    )
    assert str(error).startswith("target.bearer_token refers to env:X")
    said = ErrorOutput.of(error)
    assert said == in_words(said, CALL_WORDS)
    assert said == (
        "flink.bearer_token in the gateway's configuration refers to env:X, and there is no such "
        "environment variable. Check flink.basic_auth, flink.bearer_token or flink.secret_headers "
        "in the gateway's configuration."
    )


def test_no_output_names_where_a_mount_leads(tmp_path: Path) -> None:
    """Shows it of an action that finds the former jar neither kept, nor in the storage."""

    async def life(gateway: Gateway) -> None:
        jar = f"file://{gateway.jar}"
        await gateway.done("NEW", jar=jar)
        gateway.flink.jars.clear()
        shutil.rmtree(gateway.directory / "data/jars")
        (gateway.directory / "data/jars").mkdir()
        make_jar(gateway.jar, "another")
        row = await gateway.do("UPDATE", jar=jar)
        assert row.result == "FAILED"
        assert "abfs://jobs@account/orders.jar has other content now" in row.output
        assert "Put that jar back at abfs://jobs@account/orders.jar" in row.output
        shown = await gateway.row()
        assert str(tmp_path) not in row.output + shown.last.output

    async def run() -> None:
        mounts = {"abfs://jobs@account": f"file://{tmp_path}/storage"}
        async with Gateway(tmp_path, cluster={"mounts": mounts}).running() as gateway:
            await life(gateway)

    asyncio.run(run())


def test_an_error_reads_in_each_apis_words_after_it_was_stored() -> None:
    stored = stored_output(ErrorOutput.of(_ERROR).followed_by("Retried until noon."))
    read = read_output(stored)
    assert read == f"{_TEXT} Retried until noon."
    assert stored.startswith(read), "an earlier version of the gateway shows the text first"
    assert in_words(read, CALL_WORDS) == (
        "orders: it is LOST. Nothing was started. Import a savepoint and run it with "
        "resume_savepoint to start it from there; a run without resume_savepoint starts it from "
        "nothing. Retried until noon."
    )


def test_facts_and_property_are_stored() -> None:
    error = StateUnavailable(
        "orders: {field} is gone",
        field="restore_from",
        remedy=Remedy.RETAIN_CHECKPOINTS.of(option="a.b", value="KEEP"),
    )
    read = read_output(stored_output(ErrorOutput.of(error)))
    assert read == (
        "orders: savePointName is gone. Set a.b to KEEP in flinkConfiguration with an UPDATE "
        "first, or use UPDATE alone, which takes a savepoint."
    )
    assert in_words(read, CALL_WORDS) == (
        "orders: savepoint_path is gone. Set a.b to KEEP in runtime_config and run it again."
    )


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "Job canceled",
        "2026-01-01 file:/a\n2025-01-01 file:/b",
        "Retried until noon. STATELESS_UPDATE starts it from nothing",
    ],
)
def test_a_text_alone_stays_as_it_is(stored: str) -> None:
    """Shows it of outputs that earlier versions stored, too."""
    assert read_output(stored) == stored
    assert in_words(read_output(stored), CALL_WORDS) == stored
    assert stored_output(stored) == stored


def test_an_error_that_all_word_alike_is_stored_as_its_text() -> None:
    error = StateUnavailable("orders: it is LOST", remedy="Fix it")
    assert stored_output(ErrorOutput.of(error)) == "orders: it is LOST. Fix it."


@pytest.mark.parametrize(
    "data",
    [
        '{"parts": ["a", "b"], "field": "", "then": "", "code": "OF_A_LATER_VERSION", "facts": {}}',
        '{"parts": ["a"], "field": "", "then": ""}',
        "{",
        "[]",
    ],
)
def test_data_of_a_later_version_leaves_the_text(data: str) -> None:
    assert read_output(f"It failed.\x1e{data}") == "It failed."


def test_places_are_masked_in_text_and_facts() -> None:
    error = StateUnavailable(
        "orders: /srv/jobs/a.jar is gone",
        now="/srv/jobs/b runs",
        remedy=Remedy.STOP_FIRST.of(put_back="Put it back at /srv/jobs/a.jar"),
    )
    output = ErrorOutput.of(error, lambda text: text.replace("/srv/jobs", "abfs://jobs@account"))
    assert "/srv" not in output + in_words(output, CALL_WORDS) + stored_output(output)
    assert "Put it back at abfs://jobs@account/a.jar; or stop" in output
