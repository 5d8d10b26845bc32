"""Jobs that a Pulumi stack declares are marked, and changing one warns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flink_jobs_provider.gateway.apis.dli.translation import AS_GIVEN
from flink_jobs_provider.gateway.portal.stack_notes import has_stack_note
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling.ownership import mark_of
from flink_jobs_provider.wire import SPEC_NOTE
from tests.unit.gateway.portal.browsing import Look, Opened

WARNING = "A Pulumi stack declares this job."
JOB = "/portal/jobs/1"


def _note() -> str:
    """Return a note as the provider writes it."""
    spec = JobSpec(
        target=FlinkTarget(url="http://flink:8081"),
        owner="organization/project/dev",
        job_name="orders",
        jar="orders.jar",
    )
    return str(mark_of(spec))


def test_a_declared_job_is_marked_and_what_changes_it_warns(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        options = {SPEC_NOTE: _note(), "a.b": "c"}
        await portal.gateway.done("NEW", flink_configuration=options)
        await portal.gateway.done("NEW", "other")
        (pill,) = (await browser.get("/portal/")).find("span", class_="pill", title=DECLARED)
        assert pill.text == "Pulumi"
        assert (await browser.get(JOB)).fact("Pulumi stack") == DECLARED
        warned = {
            action: WARNING in (await browser.get(f"{JOB}/{action}")).text
            for action in ("update", "stateless-update", "stop", "cancel", "start", "savepoint")
        }
        assert warned == {**dict.fromkeys(warned, True), "savepoint": False}

        page = await browser.get("/portal/jobs/2")
        assert page.fact("Pulumi stack") == "Unknown. No note of a stack is on record."
        assert WARNING not in (await browser.get("/portal/jobs/2/update")).text

        form = (await browser.get(f"{JOB}/update")).form(f"{JOB}/update")
        await browser.sent(form, parallelism="3")
        await portal.settled()
        assert (await browser.get(JOB)).fact("Pulumi stack") == DECLARED, "it is not taken away"

    look(test)


DECLARED = "Declared by a Pulumi stack, which has left its note with this version."


@pytest.mark.parametrize(
    ("config", "noted"),
    [
        ({"runtime_config": f'{{"{SPEC_NOTE}": "x"}}'}, True),
        ({"runtime_config": f'[{{"key": "{SPEC_NOTE}", "value": "x"}}]'}, True),
        ({"runtime_config": f'{{"a": "{SPEC_NOTE}"}}'}, False),
        ({"runtime_config": f"{SPEC_NOTE}: x"}, False),
        ({"runtime_config": "[1]"}, False),
        ({"entrypoint_args": SPEC_NOTE}, False),
        (None, False),
    ],
)
def test_the_note_in_a_job_of_the_other_api(config: Any, noted: bool, look: Look) -> None:
    async def test(portal: Opened) -> None:
        row = await portal.gateway.draft()
        assert has_stack_note(replace(row, as_given={AS_GIVEN: config})) is noted

    look(test)
