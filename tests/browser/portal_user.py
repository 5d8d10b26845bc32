"""Somebody who uses the portal in a browser, and what they see there."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Locator, Page, expect

from tests.browser.hands import Hands, Mouse
from tests.job_jars import COUNTING_JAR, ROOT
from tests.waiting import PATIENCE, wait_until

#: Where screenshots are kept; git ignores it.
SCREENSHOTS = ROOT / ".screenshots"
#: Milliseconds that an action on a real Flink may take on a busy machine.
_ACTION = 60_000 * PATIENCE
NEW_JOB = {
    "Job name": "counting",
    "Jar path": f"abfs://jobs@account/{COUNTING_JAR.name}",
    "Entry class": "flinkjobs.counting.CountingJob",
    "Parallelism": "1",
}


class PortalUser:
    """A window of a browser, and hands that use it.

    Args:
        context: What has the cookies, the language and the theme.
        url: The gateway.
        hands: Mouse or keyboard.
        scripts: Whether the browser runs scripts.
    """

    def __init__(
        self,
        context: BrowserContext,
        url: str,
        hands: Hands | None = None,
        *,
        scripts: bool = True,
    ) -> None:
        self.context = context
        self._scripts = scripts
        self.url = url
        self.hands: Hands = hands or Mouse()
        self.faults: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(str(error.error)))
        self.page: Page = context.new_page()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type} at {message.location.get('url')}: {message.text}")

    def saw(self, fault: str) -> None:
        """See that the browser reported what a test has caused; it is no fault then."""
        seen = [each for each in self.faults if fault in each]
        assert seen, (fault, self.faults)
        self.faults = [each for each in self.faults if each not in seen]

    # Going somewhere

    def open(self, address: str = "/portal/") -> None:
        """Open a page of the portal."""
        self.page.goto(self.url + address)

    def sign_in(self, token: str) -> None:
        """Sign in with a token, from the first page."""
        self.open()
        self.hands.fill(self.page.get_by_label("Gateway token"), token)
        self.hands.press(self.button("Sign in"))
        expect(self.heading("Jobs")).to_be_visible()

    def screenshot(self, name: str, *, whole: bool = True) -> None:
        """Keep a picture of the page."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)

    # What is on the page

    def heading(self, name: str) -> Locator:
        """Return the page's own heading."""
        return self.page.get_by_role("heading", name=name, level=1, exact=True)

    def button(self, name: str) -> Locator:
        """Return a button."""
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        """Return a link."""
        return self.page.get_by_role("link", name=name, exact=True)

    def field(self, label: str) -> Locator:
        """Return a field of a form by its label, which may be marked as required."""
        return self.page.get_by_label(re.compile(rf"^{re.escape(label)}( \(required\))?$"))

    def fact(self, label: str) -> Locator:
        """Return what the page says of something."""
        return (
            self.page.locator("dl.facts > div", has=self.page.get_by_text(label, exact=True))
            .locator("dd")
            .first
        )

    # What they do

    def fill_in(self, **fields: str) -> None:
        """Fill in fields of a form, by their labels."""
        for label, text in fields.items():
            self.hands.fill(self.field(label), text)

    def new_job(self, args: str, **more: str) -> None:
        """Submit the counting job by the form; its page is shown then."""
        self.hands.press(self.link("New job"))
        expect(self.field("Parallelism")).to_have_value("2")
        self.fill_in(**{**NEW_JOB, "Args": args, **more})
        self.hands.press(self.button("Submit the job"))
        expect(self.heading({**NEW_JOB, **more}["Job name"])).to_be_visible()

    def act(self, name: str, **fields: str) -> None:
        """Follow the link of an action, fill in its form, and send it."""
        self.hands.press(self.page.locator("ul.actions").get_by_role("link", name=name, exact=True))
        self.fill_in(**fields)
        self.hands.press(
            self.page.locator("form.card").get_by_role("button", name=name, exact=True)
        )

    def expect_done(self, action: str, status: str) -> None:
        """Wait until the page shows that an action succeeded, and the job's status."""
        first = self.page.locator("section[aria-labelledby=history] tbody tr").first
        done = re.compile(rf"^\s*Succeeded\s+{re.escape(action)}\s*$")
        self.expect(first.locator("th").filter(has_text=done))
        expect(self.page.locator("section.summary .pill").first).to_have_text(status)

    def expect(self, element: Locator) -> None:
        """Wait until the page shows something: by itself, or if it has no scripts, asked again."""
        if self._scripts:
            expect(element).to_be_visible(timeout=_ACTION)
            return

        def shown() -> bool:
            try:
                self.page.reload()
            except Error as error:  # the answer to a form arrived meanwhile, and its page came
                if "Not attached to an active page" not in str(error):
                    raise
                return False
            return element.is_visible()

        wait_until(shown, _ACTION / 1000 / PATIENCE, f"the page shows {element}", interval=0.2)
