"""Options of Pulumi's that have no effect on a job: refused by name, before anything is done."""

from __future__ import annotations

from tests.end_to_end.flink.counting_stack import CountingStack

_PROGRAM = """
import pulumi
spec = json.loads(pathlib.Path("jobs.json").read_text())["orders"]
FlinkJob("again", opts=pulumi.ResourceOptions(OPTION), **{**spec, "job_name": "again"})
"""


def test_options_without_effect_are_refused(stack: CountingStack, engine: str) -> None:
    """The embedded engine has no custom timeouts at all, and says so itself."""
    stack.declare("orders")
    program = stack.project.root / "program/__main__.py"
    source = program.read_text(encoding="utf-8")
    timeouts = "custom_timeouts=pulumi.CustomTimeouts(create='1m')"
    for option in ("replace_on_changes=['args']", timeouts):
        program.write_text(source + _PROGRAM.replace("OPTION", option), encoding="utf-8")
        told = stack.project.preview(code=None)
        assert told.code != 0
        told.assert_says(option.partition("=")[0])
        if engine == "pulumi" or option != timeouts:
            told.assert_says("has no effect on a FlinkJob, since Pulumi")
    blank = _PROGRAM.replace('"again", opts', '"again ", opts').replace("OPTION", "")
    program.write_text(source + blank, encoding="utf-8")
    told = stack.project.preview(code=None)
    assert told.code != 0
    told.assert_says("resource_name", "must be given without blanks around it")
    assert stack.project.resources() == {}
