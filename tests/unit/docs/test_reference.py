"""The resource reference is what the model says."""

import runpy

from tests.unit.docs.pages import ROOT


def test_the_page_is_what_the_model_gives() -> None:
    """Shows that nobody changed an input or output without writing the page anew."""
    page = runpy.run_path(str(ROOT / "docs" / "build_reference.py"))["page"]()
    committed = (ROOT / "docs" / "resource-reference.md").read_text(encoding="utf-8")
    assert committed == page, "run python docs/build_reference.py"
