"""The machine and the versions that figures belong to."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import psutil

from tests.flink_cluster import FLINK_2


@dataclass(frozen=True)
class Machine:
    """What figures depend on; nothing that would tell where the machine stands.

    Attributes:
        cores: CPU cores that the benchmarks could use.
        memory: GiB.
        load: Load average over a minute, before anything began.
        versions: Of what was measured with, by name.
        date: In ISO 8601.
    """

    cores: int
    memory: float
    load: float
    versions: tuple[tuple[str, str], ...]
    date: str

    @classmethod
    def this(cls) -> Machine:
        """Look at the machine this runs on."""
        return cls(
            cores=len(os.sched_getaffinity(0)),
            memory=psutil.virtual_memory().total / 2**30,
            load=os.getloadavg()[0],
            versions=(
                ("Flink", FLINK_2),
                ("Python", platform.python_version()),
                ("Pulumi SDK", version("pulumi")),
                ("flink_jobs_provider", version("flink-jobs-provider")),
            ),
            date=datetime.now(UTC).date().isoformat(),
        )

    def rows(self) -> list[tuple[str, str]]:
        """Return names and values, as a table shows them."""
        return [
            ("cores", str(self.cores)),
            ("memory", f"{self.memory:.0f} GiB"),
            ("load before the run", f"{self.load:.1f}"),
            *self.versions,
            ("date", self.date),
        ]
