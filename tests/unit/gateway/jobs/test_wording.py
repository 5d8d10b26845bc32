"""What callers of the job APIs read names their actions and fields, and no place of ours."""

from __future__ import annotations

import ast
import asyncio
import re
import shutil
from pathlib import Path

from flink_jobs_provider.gateway.apis.dli.wording import output_in_dli_words
from flink_jobs_provider.gateway.jobs.wording import in_api_words
from flink_jobs_provider.model.spec import JobSpec
from tests.unit.gateway.jobs.conftest import Life
from tests.unit.gateway.jobs.gateway import Gateway, make_jar

_SOURCE = Path(__file__).resolve().parents[4] / "flink_jobs_provider"
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
#: Words of errors that a gateway does not raise: of uploads to other targets, of other owners.
_NOT_A_GATEWAYS = ("jar_upload_directory", "set owner, if the stack was renamed")


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
    """Shows it of every sentence in the source, so that a new one is not forgotten."""
    assert any(_OURS.search(text) for text in _said()), "there is something to be translated"
    left = [text for text in map(in_api_words, _said()) if _OURS.search(text)]
    assert left == []


def test_no_error_names_an_action_to_callers_of_data_lake_insight() -> None:
    texts = [in_api_words(text) for text in _said()]
    assert any(_OF_ARM.search(text) for text in texts), "there is something to be translated"
    left = [text for text in map(output_in_dli_words, texts) if _OF_ARM.search(text)]
    assert left == []


def test_last_state_update_without_a_retained_checkpoint(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        row = await gateway.do("LAST_STATE_UPDATE")
        assert row.result == "FAILED"
        job_id = (await gateway.row()).record.job_id
        assert row.output == (
            "orders: LAST_STATE_UPDATE needs a completed checkpoint that is retained when the job "
            f"is cancelled. Job {job_id} goes on as it was. Set "
            "execution.checkpointing.externalized-checkpoint-retention to RETAIN_ON_CANCELLATION "
            "in flinkConfiguration with an UPDATE first, or use UPDATE alone, which takes a "
            "savepoint."
        )

    live(life)


def test_settings_of_the_gateway_are_named_as_its_own() -> None:
    said = in_api_words("Check target.basic_auth, target.bearer_token or target.secret_headers.")
    assert said == (
        "Check flink.basic_auth, flink.bearer_token or flink.secret_headers in the gateway's "
        "configuration."
    )


def test_what_a_program_says_is_left_as_it_is() -> None:
    for said in ("/data/job_name/x", "my.restore_from=1 of s3://entry_class/a", "job_names"):
        assert in_api_words(said) == output_in_dli_words(said) == said


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
