"""States that version 0.1.0 has recorded are read as they were written, on each kind of target.

`recorded_states.json` was written by the models and the provider of that version, before what an
input means was said at its field and before the provider's parts were rearranged.
"""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.model.identity import spec_digits_of
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from tests.unit.provider.test_calls import as_the_engine_has_it

STATES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("recorded_states.json").read_text(encoding="utf-8")
)
KINDS = pytest.mark.parametrize("kind", sorted(STATES))


@KINDS
def test_its_provider_is_found_and_sees_no_change(kind: str) -> None:
    state = STATES[kind]
    provider = pickle.loads(base64.b64decode(state["provider"]))
    assert type(provider) is FlinkJobProvider
    outputs = {**as_the_engine_has_it(state["outputs"]), "__provider": state["provider"]}
    inputs = {**as_the_engine_has_it(state["inputs"]), "__provider": state["provider"]}
    found = provider.diff("orders", outputs, inputs)
    assert (found.changes, found.replaces) == (False, [])
    assert provider.diff("orders", outputs, {**inputs, "parallelism": 4.0}).changes


#: Inputs that came after that version, with their defaults.
NEWER = {
    "allow_no_way_back": False,
    "move": False,
    "drain": False,
    "parallelism_managed_by": "provider",
    "state_check": "strict",
}


@KINDS
def test_its_record_is_written_as_it_was(kind: str) -> None:
    outputs = STATES[kind]["outputs"]
    record = JobRecord.from_outputs(as_the_engine_has_it(outputs))
    assert record.outputs() == {**outputs, **NEWER}
    assert record.spec.plain() == {**STATES[kind]["inputs"], **NEWER}


@KINDS
def test_its_job_id_is_derived_as_it_was(kind: str) -> None:
    """Shows that the version which runs is not taken for another one."""
    record = JobRecord.from_outputs(STATES[kind]["outputs"])
    assert record.job_id is not None
    digits = record.spec.digits(record.restored_from)
    assert record.spec.key.job_id(2, digits) == record.job_id
    assert spec_digits_of(record.job_id) == digits[:8]
