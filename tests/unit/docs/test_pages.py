"""Links lead somewhere, and what stands on a page as code is right."""

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from flink_jobs_provider.job_files import job_file_schema
from tests.unit.docs.pages import PAGES, PIPELINES, ROOT, Block, blocks, name_of

_GENERATED = {"benchmarks.md", "faults.md", "faults-with-ha.md", "resource-reference.md"}
_WRITTEN_BY_HAND = [page for page in [*PAGES, *PIPELINES] if page.name not in _GENERATED]
_PORTAL_TEXTS = ROOT / "flink_jobs_provider/gateway/portal/texts"
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Shows that no link within the project is broken, its anchor included."""
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{name_of(page)}: {link}"
        if anchor:
            assert anchor in _anchors(target), f"{name_of(page)}: {link}"


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: name_of(block.page))
def test_python_compiles(block: Block) -> None:
    """Shows that Python on a page is Python."""
    compile(block.text, name_of(block.page), "exec")


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: name_of(block.page))
def test_yaml_is_right(block: Block) -> None:
    """Shows that YAML on a page is YAML, and that a job file on it is a right one."""
    content = yaml.safe_load(block.text)
    if isinstance(content, dict) and "job_name" in content:
        Draft202012Validator(job_file_schema()).validate(content)


@pytest.mark.parametrize("page", PIPELINES, ids=name_of)
def test_pipelines_are_yaml(page: Path) -> None:
    """Shows that the ready pipeline files can be read."""
    assert yaml.safe_load(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", _WRITTEN_BY_HAND, ids=name_of)
def test_lines_are_short(page: Path) -> None:
    """Shows that prose is wrapped at 100; tables, links and printed output may be longer."""
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        fenced ^= line.startswith("```")
        if not fenced and not line.startswith(("|", "#")) and "](" not in line:
            assert len(line) <= 100, f"{name_of(page)}: {line}"


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "CHANGELOG.md"] + sorted(_PORTAL_TEXTS.glob("*.yaml")),
    ids=name_of,
)
def test_no_page_claims_more_of_a_job_than_a_run_can_know(page: Path) -> None:
    """Shows that none says a job was never interrupted: a run knows that it has not stopped it."""
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert not re.search(r"never (been )?interrupted|jamais été interrompu", text)


def test_files_that_contributing_names_are_there() -> None:
    """Shows that its lists of what to touch name files that exist."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:flink_jobs_provider|tests|docs|tools)/[\w/.]*)`", text)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
