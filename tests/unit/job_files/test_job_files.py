"""Job files: what is accepted, and what is said of what is not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from flink_jobs_provider.artifacts import open_jar
from flink_jobs_provider.cli.app import app
from flink_jobs_provider.job_files import read_job_file, read_job_files
from flink_jobs_provider.model.errors import InvalidSpec
from flink_jobs_provider.model.validation import problems_of

ROOT = Path(__file__).parents[3]


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(text)
    return path


def test_jar_is_meant_from_the_files_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative jar is found from the file, and written relative to where the program runs."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "program").mkdir()
    path = write(tmp_path / "jobs", "a.yaml", "job_name: orders\njar: ../jars/orders.jar\n")
    monkeypatch.chdir(tmp_path / "program")
    assert read_job_file(path)["jar"] == os.path.join("..", "jars", "orders.jar")


def test_uri_and_absolute_jars_are_left_alone(tmp_path: Path) -> None:
    """Only a relative path is moved."""
    for jar in ("https://host/a.jar", "/opt/a.jar"):
        path = write(tmp_path, "a.yaml", f"job_name: orders\njar: {jar}\n")
        assert read_job_file(path)["jar"] == jar


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("job_name: orders\n", ":1: jar: is required"),
        ("job_name: Orders\njar: a.jar\n", "job_name: 'Orders' must match ^[a-z0-9]"),
        (
            "job_name: a\njar: a.jar\nparalelism: 2\n",
            ":3: paralelism: is unknown; did you mean parallelism?",
        ),
        ("job_name: a\njar: a.jar\nparallelism: none\n", "parallelism: 'none' is not of type"),
        ("job_name: a\njar: a.jar\nargs: [1]\n", "args"),
        ("job_name: a\njar: a.jar\ntimeouts: {running: fast}\n", "timeouts.running: 'fast'"),
        ("job_name: a\njar: a.jar\ntarget: {url: 3}\n", "target.url: 3 is not of type 'string'"),
        (
            "job_name: a\njar: a.jar\ntarget: {kind: hdinsight, subscription: 3}\n",
            "target.subscription: 3 is not of type 'string'",
        ),
        ("job_name: a\njar: a.jar\ntarget: {kind: yarn}\n", "target.kind: 'yarn' is not one of"),
        (
            "job_name: a\njar: a.jar\ntarget: {kind: dli, project_id: 3}\n",
            "target.project_id: 3 is not of type 'string'",
        ),
        ("job_name: a\njar: a.jar\nargs:\n", "args: has no value: give it one, or remove it"),
        (
            "job_name: a\njar: a.jar\ndli: {cu_numbers: 3}\n",
            ":3: dli.cu_numbers: is unknown; did you mean cu_number?",
        ),
        (
            "job_name: a\njar: a.jar\ntarget: {url: 'http://f:1'}\ndli: {cu_number: 3}\n",
            "dli: must not be given for a target of this kind",
        ),
        ("- job_name: a\n", "is not of type 'object'"),
        ("job_name: [\n", "is not YAML"),
    ],
)
def test_problems_name_file_path_and_what_would_be_right(
    tmp_path: Path, text: str, said: str
) -> None:
    """Each problem says in which file and at which path it is."""
    path = write(tmp_path, "a.yaml", text)
    with pytest.raises(InvalidSpec) as caught:
        read_job_file(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("target", "said"),
    [("null", "has no value: give it one, or remove it"), ("[]", "[] is not of type 'object'")],
)
def test_a_problem_is_said_once(tmp_path: Path, target: str, said: str) -> None:
    """Shows a target that is none of any kind."""
    path = write(tmp_path, "a.yaml", f"job_name: a\njar: a.jar\ntarget: {target}\n")
    with pytest.raises(InvalidSpec) as caught:
        read_job_file(path)
    assert caught.value.problems == [(f"{path}:3", f"target: {said}")]


def test_a_target_of_hdinsight(tmp_path: Path) -> None:
    names = ("subscription", "resource_group", "cluster_pool", "cluster")
    target = "".join(f"  {name}: x\n" for name in names)
    text = f"job_name: a\njar: a.jar\ntarget:\n  kind: hdinsight\n{target}"
    job = read_job_file(write(tmp_path, "a.yaml", text))
    assert job["target"] == {"kind": "hdinsight", **dict.fromkeys(names, "x")}
    with pytest.raises(InvalidSpec, match=r"b.yaml:3: target.cluster: is required"):
        read_job_file(write(tmp_path, "b.yaml", text.replace("  cluster: x\n", "")))


@pytest.mark.parametrize(
    "target", ["", "target: {kind: dli, region: eu-west-101, project_id: p, token: env:T}\n"]
)
def test_settings_of_data_lake_insight(tmp_path: Path, target: str) -> None:
    """Shows a file that names its target, and one whose program does."""
    text = f"job_name: a\njar: a.jar\ndli: {{cu_number: 3, tags: {{team: shop}}}}\n{target}"
    job = read_job_file(write(tmp_path, "a.yaml", text))
    assert job["dli"] == {"cu_number": 3, "tags": {"team": "shop"}}


def test_each_mistake_has_a_line_of_its_own(tmp_path: Path) -> None:
    """Shows file, line and property of each, and a word that YAML reads as false."""
    text = "job_name: a\njar: a.jar\nargs:\n- --keep\n- no\nparalelism: 2\nzzz: 1\non_delete: no\n"
    path = write(tmp_path, "a.yaml", text)
    with pytest.raises(InvalidSpec) as caught:
        read_job_file(path)
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == [f"{path}:{n}:" for n in (5, 6, 7, 8)]
    assert lines[0].endswith('args.1: YAML reads no as false: write "no" for the word')
    assert lines[1].endswith("paralelism: is unknown; did you mean parallelism?")
    assert "zzz: is unknown; known are adopt, allow_no_way_back, " in lines[2]
    assert lines[3].endswith('on_delete: YAML reads no as false: write "no" for the word')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("job_name: a\njob_name: b\n", "duplicate key 'job_name', given in line 1 already"),
        ("job_name: a\nargs: {x: 1, x: 2}\n", "line 2, column 14: duplicate key 'x'"),
        ("job_name: [a\njar: b\n", "\n   ^"),
        ("jar: a\n\tb: 1\n", "\n^"),
    ],
)
def test_what_yaml_drops_or_cannot_read(tmp_path: Path, text: str, said: str) -> None:
    """Shows duplicate keys, and the caret below the place that cannot be read."""
    path = write(tmp_path, "a.yaml", text)
    with pytest.raises(InvalidSpec) as caught:
        read_job_file(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")


@pytest.mark.parametrize(
    "row", ["password: [hunter2", "url: [postgres://me:hunter2@db", "- [--api-key, hunter2"]
)
def test_no_line_that_may_hold_a_secret_is_quoted(tmp_path: Path, row: str) -> None:
    path = write(tmp_path, "a.yaml", f"job_name: a\n{row}: : }}\n")
    with pytest.raises(InvalidSpec, match="line 2") as caught:
        read_job_file(path)
    assert "hunter2" not in str(caught.value)
    assert "^" not in str(caught.value)


@pytest.mark.parametrize("last", ["b: 1", "args: *a29", "args: &a [*a]"])
def test_aliases_of_aliases_are_not_written_out(tmp_path: Path, last: str) -> None:
    """Shows a small file that stands for a billion values, and one without an end."""
    rows = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 30)]
    rows = rows if "*a]" not in last else ["job_name: a"]
    with pytest.raises(InvalidSpec, match="has more than 100,000 values, its aliases"):
        read_job_file(write(tmp_path, "a.yaml", "\n".join([*rows, last])))


def test_a_long_value_is_cut_off(tmp_path: Path) -> None:
    """Shows a long text, and a few lines that stand for thousands of values."""
    rows = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 12)]
    text = "\n".join([*rows, "args: *a11", f"job_name: {'o' * 3000}"])
    with pytest.raises(InvalidSpec, match="must match") as caught:
        read_job_file(write(tmp_path, "a.yaml", text))
    of_values = [line for line in str(caught.value).splitlines() if "is unknown" not in line]
    assert of_values
    assert max(map(len, of_values)) < 400


def test_all_problems_of_a_directory_are_said_at_once(tmp_path: Path) -> None:
    """One report names every wrong file, and two files with one job_name."""
    write(tmp_path, "a.yaml", "job_name: orders\njar: a.jar\n")
    write(tmp_path, "b.yml", "job_name: orders\njar: a.jar\n")
    write(tmp_path, "c.yaml", "jar: 3\n")
    with pytest.raises(InvalidSpec) as caught:
        read_job_files(tmp_path)
    assert f"b.yml:1: job_name: orders is the job of {tmp_path}/a.yaml already" in str(caught.value)
    assert "c.yaml" in str(caught.value)


def test_missing_directory_is_named(tmp_path: Path) -> None:
    """A stack without its directory is told so, not given an empty stack that deletes its jobs."""
    with pytest.raises(InvalidSpec, match="is not a directory"):
        read_job_files(tmp_path / "none")


def test_a_directory_without_job_files_is_refused(tmp_path: Path) -> None:
    """Shows that an emptied or misnamed directory does not become an `up` that deletes all jobs."""
    write(tmp_path, "orders.json", "{}")
    with pytest.raises(InvalidSpec, match=r"holds no job file .* would delete all .* `destroy`"):
        read_job_files(tmp_path)


def test_example_jobs_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example stack's job files are valid inputs, and their jars are there."""
    monkeypatch.chdir(ROOT / "stacks")
    jobs = read_job_files("dev")
    assert set(jobs) == {"counting", "sensor-alerts"}
    for job in jobs.values():
        assert problems_of({"target": {"url": "http://h:1"}, "owner": "o/p/s", **job}) == []
        assert open_jar(job["jar"]).main_class


def test_schema_command_prints_a_valid_schema() -> None:
    """`flink-jobs schema` prints a JSON Schema that is one, and that takes a small job."""
    printed = CliRunner().invoke(app, ["schema"])
    schema = json.loads(printed.stdout)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate({"job_name": "a", "jar": "a.jar", "args": "x y"})
