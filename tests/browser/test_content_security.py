"""What is given to the gateway is text on its pages, and never code."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import Error, expect

from tests.browser.conftest import OpenWindow
from tests.gateway_process import GatewayProcess, await_result, new_job, run_job
from tests.job_jars import COUNTING_JAR

_CODE = "<img src=x onerror=attacked()>"
_EVAL = """() => new Promise((done, failed) => setTimeout(() => {
  try { done(eval("1")); } catch (error) { failed(error); }
}))"""
_ATTACKED = "window.attacked = () => { document.title = 'attacked'; }"


def test_given_text_is_no_code(
    open_window: OpenWindow, gateway: GatewayProcess, token: str
) -> None:
    """Shows names of jars, arguments, classes and failures with code in them, in pages and live."""
    storage = gateway.directory / "storage"
    (storage / f"{_CODE}-folder").mkdir(parents=True)
    shutil.copy(COUNTING_JAR, storage / f"{_CODE}.jar")
    gateway.stop()
    gateway.content["clusters"][0]["mounts"]["abfs://evil@account"] = f"file://{storage}"
    gateway.write()
    gateway.start()
    user = open_window()
    user.context.add_init_script(_ATTACKED)
    user.sign_in(token)
    page = user.page

    user.new_job(
        f"--unknown '{_CODE}' \"><script>attacked()</script>",
        **{"Job name": "evil", "Entry class": "flinkjobs.counting.CountingJob"},
    )
    user.expect(page.locator("section.summary .output.bad"))
    expect(user.fact("Args")).to_contain_text(_CODE)
    with gateway.client(token) as client:
        answer = run_job(client, "evil", "START", savePointName=f"file:/tmp/{_CODE}/savepoint-1")
        if answer.is_success:
            await_result(client, "evil")
        new_job(client, "followed", "--unknown", _CODE)
    user.open("/portal/new")
    user.fill_in(**{"Job name": _CODE, "Jar path": _CODE, "Entry class": _CODE, "Args": _CODE})
    user.hands.press(user.button("Show what this does"))
    expect(page.locator(".problems")).to_be_visible()
    expect(user.field("Job name")).to_have_value(_CODE)
    user.hands.press(user.button("Choose a jar"))
    user.hands.press(page.get_by_role("button", name="evil@account"))
    expect(page.get_by_role("button", name=f"{_CODE}.jar")).to_be_visible()
    user.screenshot("code-in-names")
    user.open(f"/portal/?q={_CODE}")
    expect(page.get_by_label("Name or id")).to_have_value(_CODE)
    assert page.locator("img, main script, iframe, object").count() == 0
    assert page.title() != "attacked"
    user.saw("the server responded with a status of 400")


def test_the_policy_is_in_force(open_window: OpenWindow, token: str) -> None:
    """Shows that code in a page would not run, and that another page cannot frame the portal."""
    user = open_window()
    user.sign_in(token)
    page = user.page
    page.evaluate(
        """() => {
          const code = document.createElement('script');
          code.textContent = "document.title = 'attacked'";
          document.body.append(code);
          document.body.insertAdjacentHTML(
            'beforeend', `<img src="data:," onerror="document.title = 'attacked'">`);
        }"""
    )
    with pytest.raises(Error, match="unsafe-eval"):
        page.evaluate(_EVAL)
    assert page.title() != "attacked"
    user.saw("Content Security Policy")

    framing = user.context.new_page()
    framing.set_content(f"<iframe src='{user.url}/portal/'></iframe>")
    framing.wait_for_load_state("load")
    (frame,) = framing.frames[1:]
    assert "Jobs" not in frame.content()
    user.saw("frame")
    user.saw("the server responded with a status of 401")
