"""What is part of every user's state and programs, and so never changes."""

from __future__ import annotations

import base64
import pickle
import subprocess
import sys

import pytest
from pulumi.dynamic.dynamic import serialize_provider

import flink_jobs_provider
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from flink_jobs_provider.provider.dynamic_state import PICKLED_PROVIDER
from flink_jobs_provider.provider.resource import FlinkJob

#: The provider by reference, as it stands in states since the first release.
PICKLED = (
    "gASVQAAAAAAAAACMJGZsaW5rX2pvYnNfcHJvdmlkZXIucHJvdmlkZXIuZHluYW1pY5SMEEZsaW5rSm9iUHJvdmlkZXK"
    "Uk5QpgZQu"
)
assert PICKLED_PROVIDER == PICKLED


def test_exported_names() -> None:
    assert flink_jobs_provider.__all__ == [
        "AzureCredential",
        "BasicAuth",
        "DliProject",
        "DliResourceConfig",
        "DliResourceSpec",
        "DliSettings",
        "FlinkJob",
        "FlinkJobArgs",
        "FlinkSessionCluster",
        "HDInsightCluster",
        "HealthGate",
        "Rehearsal",
        "SavepointRetention",
        "Timeouts",
        "Tls",
    ]
    for name in flink_jobs_provider.__all__:
        assert getattr(flink_jobs_provider, name).__name__ == name


def test_a_name_that_is_not_there() -> None:
    assert not hasattr(flink_jobs_provider, "Nothing")


def test_pickled_provider() -> None:
    """Shows that the provider is pickled by its dotted path and holds no data."""
    data = base64.b64decode(serialize_provider(FlinkJobProvider()))
    # The second byte is the pickle protocol, by default another one from Python 3.14 on.
    assert data[2:] == base64.b64decode(PICKLED)[2:]


def test_providers_of_older_states_can_be_unpickled() -> None:
    assert type(pickle.loads(base64.b64decode(PICKLED))) is FlinkJobProvider


def test_the_provider_is_no_secret() -> None:
    """Shows that states are readable: the pickled provider holds nothing worth hiding."""
    assert FlinkJobProvider.serialize_as_secret_always is False


def test_type_token() -> None:
    assert FlinkJob._resource_type_name == "dynamic/flink_jobs:FlinkJob"


@pytest.mark.process
def test_the_core_is_imported_without_pulumi() -> None:
    code = (
        "import sys, flink_jobs_provider, flink_jobs_provider.reconciling, "
        "flink_jobs_provider.control_planes.connection; sys.exit('pulumi' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
