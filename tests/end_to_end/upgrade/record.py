"""Record what a version of this project leaves behind: a stack's state, and gateways' databases.

Run with the version that is to be recorded, on a real Flink. So `before/` was made, with commit
6af54e6:

    git worktree add ../before 6af54e6
    cp tests/end_to_end/upgrade/record.py ../before/tests/record.py
    cd ../before && make env && .venv/bin/python -m tests.record before/

Three jobs are deployed, one on each kind of target, and updated once, so that each has a savepoint.
In what is written, `@ROOT@` stands for the directory that all of it ran in, `@FLINK@`,
`@HDINSIGHT@` and `@DLI@` for the addresses of the cluster and of the two gateways.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

import yaml

from tests.conftest import QUICK
from tests.end_to_end.flink.targets import DliTarget, HDInsightTarget, ServedTarget
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.job_jars import COUNTING_JAR
from tests.stack_project import StackProject

#: Arguments are part of what a jobId digests, so they are the same in every run.
OUTPUT = "/tmp/flink-jobs-taken-over"


def main(destination: Path) -> None:
    """Deploy the jobs, update them, and write what is on record of them."""
    destination.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, ExitStack() as opened:
        root = Path(made)
        cluster = opened.enter_context(
            closing(FlinkCluster(root / "flink", FLINK_2, configuration=QUICK))
        )
        hdinsight = opened.enter_context(closing(HDInsightTarget(cluster, root / "hdinsight")))
        dli = opened.enter_context(closing(DliTarget(cluster, root / "dli")))
        project = StackProject(root / "project", "embedded", cluster.url)
        opened.enter_context(closing(project))
        shutil.copyfile(COUNTING_JAR, root / "counting-job.jar")
        project.environment = {
            "HDINSIGHT_TOKEN": hdinsight.environment["GATEWAY_TOKEN"],
            "DLI_TOKEN": dli.environment["GATEWAY_TOKEN"],
        }
        targets = {
            "flink": {"kind": "flink", "url": cluster.url},
            "hdinsight": {**hdinsight.inputs, "token": "env:HDINSIGHT_TOKEN"},
            "dli": {**dli.inputs, "token": "env:DLI_TOKEN"},
        }
        for name, target in targets.items():
            words = {"--output": f"{OUTPUT}/{name}", "--keys": "4", "--rate": "40"}
            words |= {"--checkpoint-interval": "400"}
            project.declare(
                name,
                target=target,
                jar=str(root / "counting-job.jar"),
                entry_class="flinkjobs.counting.CountingJob",
                parallelism=1,
                args=[word for pair in words.items() for word in pair],
            )
        project.up()
        for job in project.jobs.values():
            job["args"] += ["--label", "two"]
        project.up()
        project.preview("--refresh", "--expect-no-changes")
        hdinsight._gateway.stop()
        dli._gateway.stop()
        places = {
            str(root): "@ROOT@",
            cluster.url: "@FLINK@",
            hdinsight.inputs["endpoint"]: "@HDINSIGHT@",
            dli.inputs["endpoint"]: "@DLI@",
        }

        def write(name: str, text: str) -> None:
            for place, sign in sorted(places.items(), key=lambda each: -len(each[0])):
                text = text.replace(place, sign)
            (destination / name).write_text(text.rstrip() + "\n", encoding="utf-8")

        (destination / "jar").mkdir(exist_ok=True)
        shutil.copyfile(COUNTING_JAR, destination / "jar/counting-job.jar")
        state = json.loads(project.checkpoint.read_text(encoding="utf-8"))
        write("state.json", json.dumps(state, indent=1))
        write("jobs.json", json.dumps(project.jobs, indent=1))
        write("Pulumi.dev.yaml", (project.root / "stacks/Pulumi.dev.yaml").read_text("utf-8"))
        for name, served in {"hdinsight": hdinsight, "dli": dli}.items():
            write(f"{name}.yaml", yaml.safe_dump(served._gateway.content))
            write(f"{name}.sql", _dump(served))


def _dump(target: ServedTarget) -> str:
    with closing(sqlite3.connect(target._gateway.directory / "data/gateway.db")) as database:
        return "\n".join(database.iterdump())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
