"""The resource reference is what the model says."""

import runpy

from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.fields import FIELDS
from tests.unit.docs.pages import ROOT


def test_the_page_is_what_the_model_gives() -> None:
    """Shows that nobody changed an input or output without writing the page anew."""
    page = runpy.run_path(str(ROOT / "docs" / "build_reference.py"))["page"]()
    committed = (ROOT / "docs" / "resource-reference.md").read_text(encoding="utf-8")
    assert committed == page, "run python docs/build_reference.py"


def test_every_input_has_its_cost() -> None:
    """Shows that no input can be forgotten in the table that the page takes costs from."""
    with_costs_of_their_own = {"jar", "dli"}
    assert set(FIELDS) == set(JobSpec.model_fields) - with_costs_of_their_own
