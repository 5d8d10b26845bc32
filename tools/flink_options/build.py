#!/usr/bin/env python3
"""Make the data on Flink's options: `python tools/flink_options/build.py [--check]`.

Reads them from Flink's own classes, of each version in `VERSIONS` (packages of about 300 MB each,
cached), and writes the options, and the verdicts of Flink's own parsers on a choice of values,
which tests compare with ours. Takes a JDK (11 or newer) on the PATH.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from flink_jobs_provider.local.packages import fetch_flink

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OPTIONS = ROOT / "flink_jobs_provider/model/flink_options.json"
VERDICTS = ROOT / "tests/unit/model/flink_parsers.json"

#: The newest release of each version that the package index has.
VERSIONS = ("1.17.2", "1.18.1", "1.19.3", "1.20.5", "2.0.2", "2.1.3", "2.2.1", "2.3.0")

#: Classes whose options are no configuration of jobs and clusters: those of tables' `WITH` clauses,
#: catalogs and formats, and the fields of an operator's own settings.
_NOT_CONFIGURATION = re.compile(
    r"\.(connector|formats|module|catalog|secret)\.|\.table\.(factories|sinks|utils|runtime)\."
    r"|\.StreamConfig#"
)
#: Keys that are none: internal ones, patterns of keys, and words of hints and reporters; of whole
#: keys without a dot there are few.
_NOT_A_KEY = re.compile(
    r"\$|<|#|^(internal|hidden)\."
    r"|^(?!(cleanup-strategy|external-resources|high-availability|restart-strategy|scheduler-mode)$)"
    r"[^.]*$"
)

#: Options that only processes of the cluster read, from their own configuration. Shown by the
#: classes that refer to them, in 1.17, 1.20 and 2.3: none of those takes part in a submission
#: (`/jars/:jarid/run`), nor gets the configuration of a job. Whoever adds one looks there first.
_CLUSTER = re.compile(
    r"jobmanager\.(memory|heap|rpc|web)\..*"
    r"|jobmanager\.(bind-host|resource-id|io-pool\.size|future-pool\.size)"
    r"|taskmanager\.memory\.(?!managed\.consumer-weights)(?!.*segment-size).*"
    r"|taskmanager\.(heap|rpc|data|registration|debug|log|system-out|cpu|slot)\..*"
    r"|taskmanager\.network\.(netty\..*|bind-policy)"
    r"|taskmanager\.(numberOfTaskSlots|host|bind-host|resource-id|jvm-exit-on-oom)"
    r"|rest\..*"
    r"|web\.(?!checkpoints\.history|exception-history-size|adaptive-scheduler\.).*"
    r"|blob\.(server\.port|fetch\..*|offload\.minsize|storage\.directory|service\.cleanup\..*)"
    r"|security\.(kerberos|delegation|module|context|ssl\.rest)\..*|zookeeper\.sasl\..*"
    r"|high-availability\.((zookeeper|kubernetes|jobmanager)\..*|storageDir|job\.delay)"
    r"|cluster\.(registration|services|processes|thread-dump|io-pool)\..*"
    r"|cluster\.(uncaught-exception-handling|intercept-user-system-exit)"
    r"|(heartbeat|resourcemanager|slotmanager|yarn|kubernetes|historyserver|process)\..*"
    r"|(jobstore|job-result-store|application-result-store|completed-application-store)\..*"
    r"|jmx\.server\.port"
)
#: Options of the same groups that a job does have an effect on itself with: its graph is made with
#: them, or its tasks get them.
_JOB = re.compile(
    r"taskmanager\.(memory\.managed\.consumer-weights|runtime\..*|network\.adaptive-partitioner.*)"
    r"|jobmanager\.(scheduler|adaptive-batch-scheduler\..*|partition\..*)"
    r"|(akka|pekko)\.(ask\.timeout|framesize)"
)
#: The rest of those groups: most are the cluster's alone, but that was not shown of each.
_CLUSTER_IN_DOUBT = re.compile(
    r"(jobmanager|taskmanager|web|blob|security|high-availability|cluster|slot|akka|pekko)\..*"
)

_TYPES = {
    "Boolean": "boolean",
    "Integer": "integer",
    "Long": "long",
    "Float": "float",
    "Double": "double",
    "Duration": "duration",
    "MemorySize": "memory",
    "Map": "map",
}
_NUMBERS = (
    *("5", " 5", "5 ", "-5", "+5", "0", "5.0", "1e3", "0x10", "5_000", "five", "", "2147483648"),
    *("9223372036854775808", "1e400", "NaN", "Infinity", "inf", "5f", "5d", "5L", ".5", "5."),
    *("true", "10s", "1,5", "٣"),
)
#: What the parsers are asked.
_VALUES = {
    "boolean": ("true", "TRUE", "True", " true", "true ", "false", "yes", "no", "on", "1", "0", ""),
    **dict.fromkeys(("integer", "long", "float", "double"), _NUMBERS),
    "duration": (
        *("10 sekunden", "10s", "10 s", " 10s ", "10S", "10 Sec", "10sec", "10secs", "10 seconds"),
        *("10", "0", "10ms", "10 millis", "10 milliseconds", "10us", "10µs", "10 micros", "10ns"),
        *("1min", "1m", "1 minutes", "1mins", "1h", "1 hours", "1d", "1 day", "7 days", "1w"),
        *("1.5h", "-1", "-1s", "+1s", "1h30m", "PT10S", "pt10s", "P1D", "P1DT2H", "-PT10S", "PT"),
        *("", " ", "s", "ten seconds", "10 s s", "9223372036854775808", "10m s", "1_000ms", "P1W"),
        *("0 seconds", "10 nanos", "10hs", "10ds", "10mss", "INFINITE", "never", "00:10:00"),
    ),
    "memory": (
        *("64mb", "64 mb", "64MB", "64m", "64 Mebibytes", "1g", "1gb", "1 GB", "1t", "1tb", "512"),
        *("512b", "512 bytes", "1k", "1kb", "1 kibibytes", "1.5g", "-1", "+1m", "", " ", "64 MiB"),
        *("1 gigabyte", "viel", " 64mb ", "64 mb x", "0", "9223372036854775808", "1 gibibytes"),
        *("1 tebibytes", "1pb", "64_000", "max", "8 Mb", "9999999999999g"),
    ),
    "enum AT_LEAST_ONCE|EXACTLY_ONCE": (
        *("EXACTLY_ONCE", "exactly_once", "exactly-once", "Exactly Once", "EXACTLYONCE", ""),
        *(" EXACTLY_ONCE", "AT_LEAST_ONCE", "genau einmal", "At_Least_Once", "at.least.once"),
    ),
}


@dataclass
class Option:
    """What is known of a key over all versions."""

    versions: list[str] = field(default_factory=list)
    types: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)  # of the options that are read from it
    newest: str = ""

    def add(self, version: str, kind: str, name: str) -> None:
        """Add that an option of a version is read from the key."""
        if version not in self.versions:
            self.versions.append(version)
        self.types.add(kind)
        self.names.add(name)
        self.newest = name

    def plain(self, key: str, versions: list[str]) -> dict[str, object]:
        """Return it as it is written; what is usual is left out."""
        said: dict[str, object] = {}
        if self.types != {"text"}:
            said["types"] = sorted(self.types)
        if self.versions[0] != versions[0]:
            said["since"] = self.versions[0]
        if self.versions[-1] != versions[-1]:
            said["until"] = self.versions[-1]
        if self.newest != key:
            said["now"] = self.newest
        if scope := _scope(self.names | {self.newest}):
            said["scope"] = scope
        return said


def _scope(names: set[str]) -> str | None:
    if any(_JOB.fullmatch(name) for name in names):
        return None
    if all(_CLUSTER.fullmatch(name) for name in names):
        return "cluster"
    both = (_CLUSTER, _CLUSTER_IN_DOUBT)
    certain = all(any(group.fullmatch(name) for group in both) for name in names)
    return "cluster in doubt" if certain else None


def _kind(type_name: str, is_list: str, constants: str) -> str:
    if is_list == "true":
        return "list"
    if type_name == "Enum":
        return "enum " + "|".join(sorted(constants.split("|")))
    return _TYPES.get(type_name, "text")


def _java(version: str, compiled: Path, program: str, arguments: list[str], given: str) -> str:
    package = fetch_flink(version, lambda line: print(line, file=sys.stderr))
    jars = sorted([*package.glob("lib/*.jar"), *package.glob("opt/flink-python-*.jar")])
    sources = HERE / f"{program}.java"
    classes = compiled / version
    path = os.pathsep.join(map(str, jars))
    subprocess.run(["javac", "-cp", path, "-d", classes, sources], check=True)
    if arguments == ["jars"]:
        of_options = ("flink-dist-", "flink-table-api-java-uber-", "flink-python-")
        arguments = [str(jar) for jar in jars if jar.name.startswith(of_options)]
    command = ["java", "-cp", f"{classes}{os.pathsep}{path}", program, *arguments]
    done = subprocess.run(command, input=given, text=True, stdout=subprocess.PIPE, check=True)
    return done.stdout


def options(compiled: Path) -> dict[str, object]:
    """Return the options of all versions by key."""
    found: dict[str, Option] = defaultdict(Option)
    short = [version.rpartition(".")[0] for version in VERSIONS]
    for release, version in zip(VERSIONS, short, strict=True):
        rows = [
            row.split("\t")
            for row in _java(release, compiled, "ReadOptions", ["jars"], "").splitlines()
        ]
        rows = [row for row in rows if not _NOT_CONFIGURATION.search(row[5])]
        own = {row[0] for row in rows}
        for key, type_name, is_list, constants, others, _declared in rows:
            kind = _kind(type_name, is_list, constants)
            for name in (key, *filter(None, others.split("|"))):
                if not _NOT_A_KEY.search(name) and (name == key or name not in own):
                    found[name].add(version, kind, key)
    return {
        "versions": short,
        "options": {key: found[key].plain(key, short) for key in sorted(found)},
    }


def verdicts(compiled: Path) -> dict[str, object]:
    """Return, by type and value, the versions whose parsers take it."""
    asked = [(kind, value) for kind, values in _VALUES.items() for value in values]
    given = "".join(f"{kind}\t{value}\n" for kind, value in asked)
    taken: dict[str, dict[str, list[str]]] = {kind: {} for kind in _VALUES}
    for release in VERSIONS:
        answers = _java(release, compiled, "ParseValues", [], given).splitlines()
        for (kind, value), answer in zip(asked, answers, strict=True):
            by = taken[kind].setdefault(value, [])
            if answer == "yes":
                by.append(release.rpartition(".")[0])
    return dict(taken)


def _written(content: dict[str, object]) -> str:
    """Write JSON with one entry of the second level a line, so that a change is read."""
    parts = []
    for name, value in content.items():
        if isinstance(value, dict):
            lines = (f"{_json(key)}: {_json(entry)}" for key, entry in value.items())
            parts.append(f"{_json(name)}: {{\n" + ",\n".join(lines) + "\n}")
        else:
            parts.append(f"{_json(name)}: {_json(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def main() -> int:
    """Write both files, or tell whether they are as they would be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="tell whether they are up to date")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as directory:
        compiled = Path(directory)
        files = {OPTIONS: _written(options(compiled)), VERDICTS: _written(verdicts(compiled))}
    for path, content in files.items():
        if not check:
            path.write_text(content, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != content:
            print(f"{path.relative_to(ROOT)} is not what {Path(__file__).name} writes")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
