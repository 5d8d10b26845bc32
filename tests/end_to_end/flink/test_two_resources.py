"""Two resources of a stack that declare one job: refused in preview, and nothing is started."""

from __future__ import annotations

from tests.end_to_end.flink.counting_stack import CountingStack
from tests.fault_proxy import FaultProxy


def test_two_resources_that_declare_one_job_are_refused(stack: CountingStack) -> None:
    """Anew, by a rename into the other's name, and by swapped names; the running job goes on."""
    stack.declare("orders")
    stack.declare("purchases", job_name="orders")
    for told in (stack.project.preview(code=None), stack.project.failing_up()):
        assert told.code != 0
        told.assert_says("is declared by two resources of this stack, '", "'orders'", "'purchases'")
        told.assert_says("both name job orders on ")
    # Without a preview before it, what the program registers first may have begun.
    begun = list(stack.project.resources())
    assert len(begun) == len(stack.active("orders")) <= 1
    one, two = ("purchases", "orders") if begun == ["purchases"] else ("orders", "purchases")

    stack.change(two, job_name="returns")
    stack.project.up()
    running = {name: stack.assert_runs(name, restored_from=None) for name in stack.project.jobs}

    stack.change(two, job_name="orders", upgrade_mode="stateless")
    told = stack.project.failing_up("--refresh")
    told.assert_says("is declared by two resources of this stack", "'orders'", "'purchases'")
    stack.change(one, job_name="returns", upgrade_mode="stateless")
    told = stack.project.preview(code=None)
    assert told.code != 0
    # They are registered at once: either may be the one that is refused.
    refusals = ("replaced by one of another job", "would drop the state of job")
    assert any(each in told.text for each in refusals), told.text

    stack.change(one, job_name="orders", upgrade_mode="savepoint")
    stack.change(two, job_name="returns", upgrade_mode="savepoint")
    # What was registered first may have taken the other's job into its record.
    stack.project.up()
    stack.project.preview("--refresh", "--expect-no-changes")
    for name, job_id in running.items():
        assert stack.assert_runs(name, restored_from=None) == job_id


def test_a_job_of_another_resource_keeps_its_state(stack: CountingStack) -> None:
    """Shows a resource that takes the name of one that the run has not come to yet."""
    program = stack.project.root / "program/__main__.py"
    source = program.read_text(encoding="utf-8")
    for former, now in (
        ("for name, inputs", "made = []\nfor name, inputs"),
        ("**read(inputs))", "opts=pulumi.ResourceOptions(depends_on=made), **read(inputs))"),
        ("    seen = (", "    made = [job]\n    seen = ("),
    ):
        assert former in source
        source = source.replace(former, now)
    program.write_text(source, encoding="utf-8")
    stack.declare("purchases", job_name="returns", upgrade_mode="stateless")
    stack.declare("orders")
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)

    stack.change("purchases", job_name="orders")
    told = stack.project.failing_up()
    told.assert_says(f"would drop the state of job {job_id}: it runs already")
    assert stack.assert_runs("orders", restored_from=None) == job_id
    stack.change("purchases", job_name="returns")
    stack.project.up()
    stack.project.preview("--refresh", "--expect-no-changes")
    assert stack.assert_runs("orders", restored_from=None) == job_id


def test_two_addresses_of_one_cluster_are_one(stack: CountingStack) -> None:
    """The cluster tells: it is asked where a job's name is declared at two addresses."""
    with FaultProxy(stack.cluster.url) as proxy:
        stack.declare("orders")
        alias = {"kind": "flink", "url": proxy.url}
        stack.declare("purchases", job_name="orders", target=alias)
        told = stack.project.preview(code=None)
        assert told.code != 0
        told.assert_says("is declared by two resources of this stack", "the same cluster as ")
        assert stack.active("orders") == []
