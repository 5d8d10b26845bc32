"""A job that is read by its id and is not there; and a record that cannot be read."""

from __future__ import annotations

import json
from typing import Any

from tests.end_to_end.flink.counting_stack import CountingStack
from tests.waiting import wait_until

_GOT = """
import pulumi
spec = json.loads(pathlib.Path("jobs.json").read_text())["orders"]
FlinkJob("got", opts=pulumi.ResourceOptions(id="absent"), **{**spec, "job_name": "absent"})
"""


def test_one_that_is_not_there_and_one_that_cannot_be_read(stack: CountingStack) -> None:
    """The first is an error in one line and leaves nothing; the second ends no refresh."""
    stack.declare("orders")
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)

    program = stack.project.root / "program/__main__.py"
    source = program.read_text(encoding="utf-8")
    program.write_text(source + _GOT, encoding="utf-8")
    told = stack.project.failing_up()
    told.assert_says(
        f"absent: there is no job of this id: job absent of {stack.project.owner} is not on ",
        "Nothing was recorded.",
    )
    assert "pulumi/dynamic/__main__.py" not in told.text, "a traceback of the provider's"
    assert set(stack.project.resources()) == {"orders"}
    program.write_text(source, encoding="utf-8")

    state = json.loads(stack.project.checkpoint.read_text(encoding="utf-8"))
    resources: list[dict[str, Any]] = state["checkpoint"]["latest"]["resources"]
    [orders] = [each for each in resources if each["urn"].endswith("::orders")]
    urn = orders["urn"].replace("::orders", "::left")
    inputs = {"__provider": orders["inputs"]["__provider"]}
    # Of none at all the CLI tells a plugin nothing, as if the resource was to be imported.
    left = {"urn": urn, "id": "left", "inputs": inputs, "outputs": {**inputs, "status": "RUNNING"}}
    resources.append({**orders, **left})
    stack.project.checkpoint.write_text(json.dumps(state), encoding="utf-8")

    stack.cluster.rest.patch(f"/jobs/{job_id}?mode=cancel").raise_for_status()
    stack.cluster.await_state(job_id, "CANCELED")

    def refreshed() -> bool:
        stack.project.refresh().assert_says(
            "left: its recorded state cannot be read (",
            "(pulumi state delete, or flink-jobs state delete)",
            "It was not refreshed",
        )
        assert set(stack.project.resources()) == {"orders", "left"}
        return bool(stack.recorded("orders")["status"] == "CANCELED")

    wait_until(refreshed, 30, "the refresh shows the cancel; a gateway looks from time to time")

    stack.project.run("state", "delete", urn, "--yes")
    assert set(stack.project.resources()) == {"orders"}
    assert "left" not in stack.project.refresh().text
