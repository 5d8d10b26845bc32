"""Each step of "Job Management from Azure Portal", in a browser, on a real Flink.

So the documentation of HDInsight on AKS names them: it had a portal, which went with the service.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.hands import Hands, Keyboard, Mouse
from tests.browser.portal_user import PortalUser
from tests.counting_output import assert_counts_continuous
from tests.gateway_process import another_cluster_id


@pytest.fixture
def cluster_id() -> str:
    """Return a name under which no earlier test has left the state of a job."""
    return another_cluster_id()


@pytest.mark.parametrize(
    ("hands", "scripts"),
    [(Mouse(), True), (Keyboard(), True), (Mouse(), False)],
    ids=["mouse", "keyboard", "without-scripts"],
)
def test_every_step(
    open_window: OpenWindow, token: str, tmp_path: Path, hands: Hands, scripts: bool
) -> None:
    """Shows that each step can be done, and that state is kept.

    The page follows by itself; without scripts it does when it is asked for again.
    """
    user = open_window(hands, java_script_enabled=scripts)
    user.sign_in(token)
    keep = _Keep(user, type(hands).__name__.lower() if scripts else "plain")
    keep("jobs-none")
    output = tmp_path / "out"
    args = f"--output {output} --rate 200 --checkpoint-interval 200"
    user.new_job(f"{args} --label one")
    user.expect_done("New job", "RUNNING")
    keep("job-running")
    job_id = user.fact("Flink's jobId").inner_text()

    user.act("Savepoint")
    user.expect_done("Savepoint", "RUNNING")
    expect(user.fact("Flink's jobId")).to_have_text(job_id)
    first = _savepoints(user)[0]

    user.act("Stop")
    user.expect_done("Stop", "STOPPED")
    keep("job-stopped")
    last = _savepoints(user)[0]
    assert last != first

    user.hands.press(user.page.locator("ul.actions").get_by_role("link", name="Start", exact=True))
    expect(user.fact("Last savepoint")).to_have_text(last)
    user.hands.choose(user.field("Savepoint"), first)
    keep("start")
    user.hands.choose(user.field("Savepoint"), last)
    user.hands.press(user.button("Start"))
    user.expect_done("Start", "RUNNING")
    expect(user.fact("Started from")).to_have_text(last)

    user.hands.press(user.page.locator("ul.actions").get_by_role("link", name="Update", exact=True))
    user.fill_in(Args=f"{args} --label two")
    user.hands.press(user.button("Show what this does"))
    expect(user.page.locator(".plan li")).to_have_text("args changed")
    keep("update-plan")
    user.hands.press(user.button("Update"))
    user.expect_done("Update", "RUNNING")
    expect(user.fact("Args")).to_contain_text("--label two")
    user.act("Stop")
    user.expect_done("Stop", "STOPPED")
    assert_counts_continuous(output, complete=True)
    user.act("Start")
    user.expect_done("Start", "RUNNING")

    fresh = args.replace(str(output), str(tmp_path / "fresh"))
    user.act("Stateless update", **{"Args": fresh, "Job name, to confirm": "counting"})
    user.expect_done("Stateless update", "RUNNING")
    expect(user.page.get_by_text("Started from", exact=True)).to_have_count(0)

    user.hands.press(user.page.locator("ul.actions").get_by_role("link", name="Cancel", exact=True))
    keep("cancel")
    user.fill_in(**{"Job name, to confirm": "counting"})
    user.hands.press(user.page.locator("form.card").get_by_role("button", name="Cancel"))
    user.expect_done("Cancel", "CANCELED")
    keep("job-canceled")
    user.act("Delete", **{"Job name, to confirm": "counting"})
    user.expect(user.page.get_by_text(re.compile("no longer there|no such job")))
    if not scripts:
        user.saw("the server responded with a status of 404")
    user.open()
    user.expect(user.page.get_by_text("There are no jobs yet"))


def test_a_failed_launch_says_why(open_window: OpenWindow, token: str) -> None:
    """Shows that the list marks a job whose launch failed, and that a click leads to the reason."""
    user = open_window()
    user.sign_in(token)
    user.new_job("", **{"Job name": "wrong", "Entry class": "com.example.Missing"})
    reason = user.page.locator("section.summary .output.bad")
    user.expect(reason.filter(has_text="com.example.Missing"))
    user.screenshot("job-failed")
    user.open()
    expect(user.page.locator("tr.attention")).to_contain_text("wrong")
    user.screenshot("jobs-attention")


class _Keep:
    """Keeps pictures of what one way of using the portal has come to."""

    def __init__(self, user: PortalUser, prefix: str) -> None:
        self._user = user
        self._prefix = prefix

    def __call__(self, name: str) -> None:
        self._user.screenshot(f"{self._prefix}-{name}")


def _savepoints(user: PortalUser) -> list[str]:
    """Return the paths of the job's savepoints, the newest first."""
    return user.page.locator("section[aria-labelledby=savepoints] tbody th").all_inner_texts()
