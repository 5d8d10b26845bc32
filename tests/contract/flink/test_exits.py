"""Programs whose `main` ends the JobManager: told from a connection that merely broke."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.model.errors import ClusterTakenDown, ClusterUnreachable
from tests.contract.flink.scripted import JOB_ID, ScriptedFlink, ok, recorded, submission

BROKE = httpx.RemoteProtocolError("Server disconnected without sending a response.")
REFUSED = httpx.ConnectError("[Errno 111] Connection refused")
CALLS = ("plan", "run")


def jobs(*states: str) -> httpx.Response:
    """Answer a list of other jobs, and of an older version of the job itself."""
    rows = [{"jid": f"b{number:031d}", "state": state} for number, state in enumerate(states)]
    rows = [{**row, "name": f"job-{number}"} for number, row in enumerate(rows)]
    own = {"jid": JOB_ID[:18] + "0" * 14, "name": "orders", "state": "RUNNING"}
    return ok(jobs=[own, *rows] if states else [])


async def ask(plane: FlinkRest, call: str) -> None:
    """Plan or run a program, on a cluster whose jobs were listed before."""
    await plane.jobs()
    if call == "plan":
        await plane.plan(submission())
    else:
        await plane.submit(submission(), 60)


def scripted(call: str, *answers: httpx.Response | Exception) -> ScriptedFlink:
    """Return a cluster that answers a call by these."""
    flink = ScriptedFlink()
    flink.answer(f"POST jars/uuid_orders.jar/{call}", *answers)
    return flink


def test_a_cluster_that_went_down_with_main() -> None:
    flink = scripted("plan", BROKE, REFUSED)
    flink.answer("GET jobs/overview", jobs("RUNNING", "FINISHED", "RUNNING"), REFUSED)
    with pytest.raises(ClusterTakenDown) as caught:
        asyncio.run(ask(flink.plane(), "plan"))
    assert flink.count("POST jars/uuid_orders.jar/plan") == 1
    assert caught.value.happened == (
        "orders: the connection broke while main of the new version was being tried (no connection "
        "to http://flink:8081: Server disconnected without sending a response); the cluster may "
        f"have gone down with it. Other jobs ran on it: job-0 (b{0:031d}), job-2 (b{2:031d})."
    )
    assert caught.value.now == "What runs on the cluster now is not known."
    assert "cluster.intercept-user-system-exit to THROW" in caught.value.remedy


@pytest.mark.parametrize("after", [jobs(), jobs("RESTARTING")], ids=["gone", "recovered"])
def test_a_cluster_that_was_restarted_is_not_taken_down_again(after: httpx.Response) -> None:
    """Shows it of a supervisor that is quicker than the next request."""
    flink = scripted("plan", BROKE)
    flink.answer("GET jobs/overview", jobs("RUNNING"), after)
    with pytest.raises(ClusterTakenDown):
        asyncio.run(ask(flink.plane(), "plan"))
    assert flink.count("POST jars/uuid_orders.jar/plan") == 1


def test_a_run_is_repeated_once_when_the_cluster_is_back() -> None:
    """Shows that a plan that passed counts: an outage in the middle of an update is waited for."""
    flink = scripted("run", BROKE, recorded("accepted"))
    flink.answer("GET jobs/overview", jobs("RUNNING"), REFUSED, REFUSED, REFUSED, jobs())
    asyncio.run(ask(flink.plane(), "run"))
    assert flink.count("POST jars/uuid_orders.jar/run") == 2


def test_a_run_is_sent_to_no_cluster_that_is_away() -> None:
    """Shows the error of an outage that lasts: temporary, with the step and a possible cause."""
    flink = scripted("run", BROKE)
    flink.answer("GET jobs/overview", jobs("RUNNING"), REFUSED)
    with pytest.raises(ClusterUnreachable) as caught:
        asyncio.run(ask(flink.plane(), "run"))
    assert flink.count("POST jars/uuid_orders.jar/run") == 1
    assert "the connection broke while main of the new version was being run" in str(caught.value)
    assert "the cluster has not come back. Run again when it is back" in str(caught.value)
    assert "Does main call System.exit?" in caught.value.remedy


def test_a_run_that_breaks_again_in_a_later_try_ends_it() -> None:
    """Shows that a main that exits after `execute` does not end the cluster at each try."""
    flink = scripted("run", BROKE)
    flink.answer("GET jobs/overview", jobs("RUNNING"), REFUSED)
    plane = flink.plane()

    async def twice() -> None:
        with pytest.raises(ClusterUnreachable):
            await ask(plane, "run")
        flink.answer("GET jobs/overview", jobs("RUNNING"))
        await ask(plane, "run")

    with pytest.raises(ClusterTakenDown, match="was being run"):
        asyncio.run(twice())
    assert flink.count("POST jars/uuid_orders.jar/run") == 2


@pytest.mark.parametrize("call", CALLS)
def test_a_connection_that_merely_broke_is_made_again(call: str) -> None:
    """Shows it where the other jobs go on, or have come to their end since."""
    answer = ok(plan={"nodes": []}) if call == "plan" else recorded("accepted")
    flink = scripted(call, BROKE, answer)
    flink.answer("GET jobs/overview", jobs("RUNNING", "RUNNING"), jobs("RUNNING", "FINISHED"))
    asyncio.run(ask(flink.plane(), call))
    assert flink.count(f"POST jars/uuid_orders.jar/{call}") == 2


@pytest.mark.parametrize("call", CALLS)
def test_an_empty_cluster_is_tried_twice_and_no_third_time(call: str) -> None:
    """Shows it where no job tells whether the JobManager was restarted."""
    flink = scripted(call, BROKE)
    flink.answer("GET jobs/overview", jobs())
    with pytest.raises(ClusterTakenDown) as caught:
        asyncio.run(ask(flink.plane(), call))
    assert flink.count(f"POST jars/uuid_orders.jar/{call}") == 2
    assert "Other jobs" not in str(caught.value)


def test_what_was_never_sent_took_nothing_down() -> None:
    flink = scripted("plan", REFUSED)
    with pytest.raises(ClusterUnreachable, match="Is the cluster up, and the address right"):
        asyncio.run(ask(flink.plane(), "plan"))
    assert flink.count("POST jars/uuid_orders.jar/plan") == 3


@pytest.mark.parametrize(
    ("rows", "intercepts"),
    [
        ([{"key": "cluster.intercept-user-system-exit", "value": "THROW"}], True),
        ([{"key": "cluster.intercept-user-system-exit", "value": "LOG"}], False),
        ([{"key": "rest.port", "value": "8081"}], False),
        ([], None),
    ],
)
def test_the_clusters_configuration_tells(
    rows: list[dict[str, str]], intercepts: bool | None
) -> None:
    flink = ScriptedFlink()
    flink.answer("GET jobmanager/config", httpx.Response(200, json=rows))
    assert asyncio.run(flink.plane().facts()).intercepts_exit is intercepts
