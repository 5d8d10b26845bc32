"""Two ways to use a page: with a mouse, and with a keyboard alone."""

from __future__ import annotations

from typing import Protocol

from playwright.sync_api import Locator, Page

#: Presses of Tab after which an element counts as out of reach.
_MOST_TABS = 150
#: What the element that has the focus shows of it, and whether it is the wanted one.
_FOCUS = """wanted => {
  const focused = document.activeElement;
  const style = getComputedStyle(focused);
  return {
    here: focused === wanted,
    shown: focused === document.body || focused.matches('[tabindex="-1"]')
      || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0),
    what: focused.outerHTML.slice(0, 200),
  };
}"""


class Hands(Protocol):
    """What somebody can do to a page."""

    def press(self, element: Locator) -> None:
        """Use a link, a button or a summary."""

    def fill(self, element: Locator, text: str) -> None:
        """Replace what a field holds."""

    def choose(self, element: Locator, value: str) -> None:
        """Choose the option of a value."""


class Mouse:
    """Points at what is on the page, and types only into fields."""

    def press(self, element: Locator) -> None:
        """Click it."""
        element.click()

    def fill(self, element: Locator, text: str) -> None:
        """Click it, and type."""
        element.click()
        element.fill(text)

    def choose(self, element: Locator, value: str) -> None:
        """Choose the option in the list."""
        element.select_option(value)


class Keyboard:
    """Presses keys alone; whatever has the focus on the way must show it."""

    def press(self, element: Locator) -> None:
        """Go to it, and press Enter."""
        self._go(element).keyboard.press("Enter")

    def fill(self, element: Locator, text: str) -> None:
        """Go to it, and type over what it holds."""
        keyboard = self._go(element).keyboard
        keyboard.press("Control+A")
        keyboard.press("Delete")
        keyboard.insert_text(text)

    def choose(self, element: Locator, value: str) -> None:
        """Go to it, and press the arrow until the option is chosen."""
        keyboard = self._go(element).keyboard
        keyboard.press("Home")
        options = element.locator("option").count()
        for _ in range(options):
            if element.input_value() == value:
                return
            keyboard.press("ArrowDown")
        raise AssertionError(f"the keyboard does not reach {value}")

    def _go(self, element: Locator) -> Page:
        """Press Tab until an element has the focus; return its page."""
        element.wait_for()
        page = element.page
        for _ in range(_MOST_TABS):
            focus = element.evaluate(_FOCUS)
            assert focus["shown"], f"nothing shows that this has the focus: {focus['what']}"
            if focus["here"]:
                return page
            page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {element}")
