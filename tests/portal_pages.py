"""Pages of the portal as a browser without scripts has them: text, links, and forms to fill in."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "input", "br", "img", "hr"}
_SILENT = {"script", "style", "title", "option"}


@dataclass
class Form:
    """A form of a page.

    Attributes:
        action: Where it is sent.
        method: How.
        fields: What its fields hold, by name.
        choices: What can be chosen, by the name of a field.
        disabled: Whether its button cannot be pressed.
    """

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    disabled: bool = False

    def filled(self, **values: str) -> dict[str, str]:
        """Return what is sent when some fields are filled in, which must be there."""
        assert set(values) <= set(self.fields), (values, self.fields)
        return {**self.fields, **values}


@dataclass
class Element:
    """A tag with what is in it that a reader sees; `raw` has its blanks and line breaks."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    raw: str = ""


class Page(HTMLParser):
    """A page, read.

    Attributes:
        forms: Its forms, in order.
        elements: All its elements, in order.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.forms: list[Form] = []
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self._select = ""
        self.feed(html)
        self.close()
        assert not self._open, [element.tag for element in self._open]

    # What a reader sees

    @property
    def text(self) -> str:
        """All that is to be read, with single blanks."""
        return " ".join(" ".join(self._texts).split())

    def find(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements of a tag that have some attributes."""
        wanted = {name.rstrip("_").replace("_", "-"): text for name, text in attributes.items()}
        return [
            element
            for element in self.elements
            if element.tag == tag and wanted.items() <= element.attributes.items()
        ]

    def link(self, text: str) -> str:
        """Return where the one link of a text leads."""
        (found,) = {
            element.attributes["href"] for element in self.find("a") if element.text == text
        }
        return found

    def form(self, action: str) -> Form:
        """Return the one form that is sent to an address."""
        (found,) = [form for form in self.forms if form.action == action]
        return found

    def fact(self, label: str) -> str:
        """Return what the page says of something."""
        elements = [each for each in self.elements if each.tag in ("dt", "dd")]
        labels = [(each.tag, each.text) for each in elements]
        assert labels.count(("dt", label)) == 1, labels
        at = labels.index(("dt", label))
        return elements[at + 1].text

    @property
    def problems(self) -> dict[str, str]:
        """The problems at fields, by the field's name."""
        return {
            element.attributes["id"].removesuffix("-problem"): element.text
            for element in self.find("p", class_="problem")
        }

    # The parser

    _texts: list[str]

    def reset(self) -> None:
        """Begin."""
        super().reset()
        self._texts = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        attributes = {name: value or "" for name, value in attrs}
        element = Element(tag, attributes)
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)
        if tag == "form":
            self.forms.append(Form(attributes.get("action", ""), attributes.get("method", "get")))
        elif tag in ("input", "textarea", "select") and self.forms:
            self._field(tag, attributes)
        elif tag == "option" and attributes["value"] not in self._choices():
            self._choices().append(attributes["value"])
            if "selected" in attributes or len(self._choices()) == 1:
                self.forms[-1].fields[self._select] = attributes["value"]
        elif tag == "button" and self.forms:
            self.forms[-1].disabled |= "disabled" in attributes

    def _field(self, tag: str, attributes: dict[str, str]) -> None:
        name = attributes["name"]
        if tag == "select":
            self._select = name
            self.forms[-1].choices[name] = []
        elif attributes.get("type") != "checkbox" or "checked" in attributes:
            self.forms[-1].fields[name] = attributes.get("value", "")

    def _choices(self) -> list[str]:
        return self.forms[-1].choices[self._select]

    def handle_endtag(self, tag: str) -> None:
        """Close the element, which must be the one that was opened last."""
        element = self._open.pop()
        assert element.tag == tag, (element.tag, tag)
        element.raw, element.text = element.text, " ".join(element.text.split())

    def handle_data(self, data: str) -> None:
        """Note text in all elements around it."""
        for element in self._open:
            element.text += data
        inner = self._open[-1] if self._open else None
        if inner is None or inner.tag not in _SILENT:
            self._texts.append(data)
        if inner is not None and inner.tag == "textarea":
            # A line break right after the tag is not part of the text.
            name = inner.attributes["name"]
            self.forms[-1].fields[name] = self.forms[-1].fields[name] + data
