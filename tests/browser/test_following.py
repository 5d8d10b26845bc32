"""What stays as it is while a page follows what happens."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.gateway_process import GatewayProcess, await_result, new_job, run_job

_SELECT = """element => {
  const range = document.createRange();
  range.selectNodeContents(element);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}"""


def test_what_somebody_is_at_stays(
    open_window: OpenWindow, gateway: GatewayProcess, token: str
) -> None:
    """Shows that the focus, a selection and what is unfolded stay where they are."""
    user = open_window()
    user.sign_in(token)
    page = user.page
    with gateway.client(token) as client:
        new_job(client, "followed", "--output", str(gateway.directory / "out"), "--rate", "50")
        await_result(client, "followed")
        user.hands.press(user.link("followed"))
        folded = page.locator("details", has_text="The job's row as JSON")
        folded.locator("summary").click()
        folded.locator("pre").evaluate("pre => { pre.scrollTop = 40; }")
        job_id = user.fact("Flink's jobId")
        job_id.evaluate(_SELECT)
        own_page = page.get_by_role("link", name="/overview")
        own_page.focus()
        job_id.evaluate(_SELECT)

        run_job(client, "followed", "SAVEPOINT")
        user.expect_done("Savepoint", "RUNNING")
        expect(page.locator("section[aria-labelledby=savepoints] tbody tr")).to_have_count(1)
        expect(own_page).to_be_focused()
        assert page.evaluate("getSelection().toString()") == job_id.inner_text()
        expect(folded.locator("pre")).to_contain_text("SAVEPOINT")

        own_page.evaluate("link => { link.blur(); }")
        run_job(client, "followed", "STOP")
        user.expect_done("Stop", "STOPPED")
        page.get_by_role("link", name="Start from").last.focus()
        older = page.locator("section[aria-labelledby=savepoints] tbody th").last.inner_text()
        run_job(client, "followed", "START")
        user.expect_done("Start", "RUNNING")
        run_job(client, "followed", "STOP")
        user.expect_done("Stop", "STOPPED")
    rows = page.locator("section[aria-labelledby=savepoints] tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.last.locator("th")).to_have_text(older)
    expect(folded.locator("pre")).to_be_visible()
