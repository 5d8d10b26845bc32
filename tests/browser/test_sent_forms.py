"""Forms are sent once, are not held up by what they do not need, and what was typed is not lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Request, Route, expect

from tests.browser.conftest import OpenWindow
from tests.browser.portal_user import NEW_JOB, PortalUser
from tests.gateway_process import GatewayProcess, await_result, new_job
from tests.job_jars import COUNTING_JAR

PLACE = "abfs://uploads@account"
#: Notes what each press comes to; Escape stops the browser, as it does elsewhere, once what a press
#: asks for was answered. While a form is on its way, a page takes no more scripts of a test.
_NOTE = """() => {
  globalThis.presses = [];
  addEventListener("submit", (event) => {
    const sending = !document.querySelector("[data-sending]").hidden;
    presses.push([event.defaultPrevented ? "stopped" : "sent", sending]);
  });
  addEventListener("keydown", async (event) => {
    if (event.key !== "Escape") return;
    for (const turn of [1, 2]) await fetch("/portal/signed-in", { cache: "no-store" });
    stop();
  });
}"""


class _Held:
    """The forms that somebody sends from a page to an address, none of which arrives."""

    def __init__(self, user: PortalUser, address: str) -> None:
        self._page = user.page
        self._address = address
        self._routes: list[Route] = []
        self.sent: list[str] = []
        self._page.route(address, self._hold)
        self._page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.method == "POST":
            self.sent.append(request.url)

    def _hold(self, route: Route) -> None:
        if route.request.method == "POST":
            self._routes.append(route)
        else:
            route.continue_()

    def press(self, button: Locator) -> tuple[float, float]:
        """Press a button twice, as somebody does who is used to it; return where it is.

        Of a page that is on its way to another one, Playwright itself would wait for that.
        """
        box = button.bounding_box()
        assert box is not None
        at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        with self._page.expect_request(lambda request: request.method == "POST"):
            self._page.mouse.dblclick(*at)
        return at

    def release(self) -> None:
        """Let what was sent first arrive, and what is sent from here on."""
        self._routes[0].continue_()
        self._page.unroute(self._address)


def test_a_second_press_sends_nothing(
    open_window: OpenWindow, gateway: GatewayProcess, token: str
) -> None:
    """Shows a form that is on its way, pressed again; and that it can be sent when it was stopped.

    The browser is stopped as its own button does it.
    """
    with gateway.client(token) as client:
        new_job(client, "pressed", "--output", str(gateway.directory / "out"), "--rate", "50")
        await_result(client, "pressed")
    user = open_window()
    user.sign_in(token)
    user.open("/portal/jobs/1/stop")
    page = user.page
    page.evaluate(_NOTE)
    held = _Held(user, "**/jobs/1/stop")
    at = held.press(user.button("Stop"))
    page.mouse.click(*at)
    for key in ("Enter", "Escape"):
        page.keyboard.press(key)
    expect(page.get_by_text("This is being sent")).to_be_hidden()
    assert len(held.sent) == 1
    while_asked, sent, then = [("stopped", False)] * 2, ("sent", True), [("stopped", True)] * 2
    assert [tuple(each) for each in page.evaluate("presses")] == [*while_asked, sent, *then]

    page.unroute("**/jobs/1/stop")
    user.hands.press(user.button("Stop"))
    user.expect_done("Stop", "STOPPED")
    assert len(held.sent) == 2
    expect(page.locator("section[aria-labelledby=history] tbody tr")).to_have_count(2)


def test_a_sign_in_link_pressed_twice_signs_in(
    open_window: OpenWindow, gateway: GatewayProcess, token: str
) -> None:
    """Shows that its one use is not lost by a second press."""
    with gateway.client(token) as client:
        link = client.post("/portal/sign-in/link").json()["link"]
    user = open_window()
    user.page.goto(link)
    held = _Held(user, "**/sign-in/once")
    at = held.press(user.button("Sign in"))
    user.page.mouse.click(*at)
    held.release()
    expect(user.heading("Jobs")).to_be_visible()
    assert len(held.sent) == 1


def test_a_list_that_cannot_be_read_holds_up_no_form(
    open_window: OpenWindow, gateway: GatewayProcess, token: str
) -> None:
    """Shows that a form is sent while the list of jobs answers nothing at all."""
    with gateway.client(token) as client:
        new_job(client, "pressed", "--output", str(gateway.directory / "out"), "--rate", "50")
        await_result(client, "pressed")
    user = open_window()
    user.sign_in(token)
    asked: list[Route] = []
    user.page.route("**/portal/parts/**", lambda route: asked.append(route))
    user.open("/portal/jobs/1/stop")
    user.hands.press(user.button("Stop"))
    user.expect_done("Stop", "STOPPED")
    assert asked == []


def _permit_uploads(gateway: GatewayProcess, **portal: int) -> Path:
    """Start a gateway again that takes uploads; return the directory that they come to."""
    storage = gateway.directory / "storage"
    storage.mkdir()
    gateway.stop()
    cluster = gateway.content["clusters"][0]
    cluster["mounts"][PLACE] = f"file://{storage}"
    cluster["uploads"] = [PLACE]
    gateway.content["portal"] |= portal
    gateway.write()
    gateway.start()
    return storage


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "without-scripts"])
def test_a_jar_that_is_too_large_loses_nothing_that_was_typed(
    open_window: OpenWindow, gateway: GatewayProcess, token: str, scripts: bool
) -> None:
    """Shows that a script does not even send it, and that without scripts the form comes back."""
    storage = _permit_uploads(gateway, upload_bytes=1 << 20)
    large = FilePayload(name="large.jar", mimeType="", buffer=bytes((1 << 20) + 1))
    user = open_window(java_script_enabled=scripts)
    user.sign_in(token)
    user.hands.press(user.link("New job"))
    user.fill_in(**{**NEW_JOB, "Args": "--label typed"})
    user.hands.press(user.page.locator("summary", has_text="Upload a jar"))
    user.page.get_by_label("Jar file").set_input_files(large)
    sent: list[str] = []
    user.page.on("request", lambda request: sent.append(request.method))
    user.hands.press(user.button("Upload"))
    expect(user.page.get_by_text("The file is larger than").locator("visible=true")).to_be_visible()
    for label, typed in {**NEW_JOB, "Args": "--label typed"}.items():
        expect(user.field(label)).to_have_value(typed)
    assert ("POST" in sent) == (not scripts)
    assert list(storage.iterdir()) == []
    if scripts:
        assert user.page.locator("#jar_file").evaluate("input => input.files.length") == 1
        user.page.locator("#jar_file").set_input_files([])
        user.hands.press(user.button("Submit the job"))
        expect(user.heading("counting")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "without-scripts"])
@pytest.mark.parametrize("button", ["Upload", "Submit the job"])
def test_what_was_typed_outlives_the_session(
    open_window: OpenWindow, gateway: GatewayProcess, token: str, scripts: bool, button: str
) -> None:
    """Shows a form, and an upload, that are sent when nobody is signed in any more."""
    storage = _permit_uploads(gateway)
    user = open_window(java_script_enabled=scripts)
    user.sign_in(token)
    user.hands.press(user.link("New job"))
    user.fill_in(**{**NEW_JOB, "Args": "--label typed"})
    user.hands.press(user.page.locator("summary", has_text="Upload a jar"))
    user.page.get_by_label("Jar file").set_input_files(COUNTING_JAR)
    user.context.clear_cookies()
    user.hands.press(user.button(button))
    expect(user.page.get_by_text("What you typed is kept for 15 minutes")).to_be_visible()
    user.hands.fill(user.page.get_by_label("Gateway token"), token)
    user.hands.press(user.button("Sign in"))
    expect(user.page.get_by_text("What you typed before your session ended")).to_be_visible()
    for label, typed in {**NEW_JOB, "Args": "--label typed"}.items():
        expect(user.field(label)).to_have_value(typed)
    again = user.page.get_by_text("Choose its file again")
    expect(again).to_have_count(1 if button == "Upload" else 0)
    assert list(storage.iterdir()) == []
    if scripts:
        user.saw("the server responded with a status of 401")
