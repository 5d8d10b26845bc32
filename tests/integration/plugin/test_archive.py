"""The plugin's archive, as `pulumi plugin install --file` unpacks it: run from there alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flink_jobs_provider.cli.app import app
from flink_jobs_provider.engine.protocols import provider_pb2
from flink_jobs_provider.plugin import archive, package_schema
from tests.plugin_engine import plugin_run

_WITHOUT_THIS_ENVIRONMENT = f"{sys.base_prefix}/bin:/usr/bin:/bin"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive as the command writes it."""
    directory = tmp_path_factory.mktemp("archive")
    done = CliRunner().invoke(app, ["plugin", "archive", str(directory / "dist"), "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.output)
    version = package_schema.version()
    assert document["version"] == version
    file = Path(document["file"])
    assert file.name.startswith(f"pulumi-resource-flink-jobs-v{version}-")
    assert document["install"].endswith(f"resource flink-jobs v{version} --file {file}")
    return file


@pytest.fixture(scope="module")
def unpacked(written: Path) -> Path:
    """Return where the archive was unpacked."""
    directory = written.parent / f"resource-flink-jobs-v{package_schema.version()}"
    with tarfile.open(written) as packed:
        packed.extractall(directory, filter="data")
    return directory


def test_it_runs_from_its_own_packages(
    unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows the plugin answering where neither this project nor what it needs is installed."""
    monkeypatch.setenv("PATH", _WITHOUT_THIS_ENVIRONMENT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "grpc.py").write_text("raise ImportError('not of the archive')")
    with plugin_run(tmp_path, command=(unpacked / archive.EXECUTABLE,)) as engine:
        assert engine.call("GetPluginInfo").version == package_schema.version()
        schema = engine.call("GetSchema", provider_pb2.GetSchemaRequest()).schema
        assert schema == package_schema.text_with_version()
        failures = engine.check("orders", {"job_name": "orders"}).failures
        assert ("jar", "is required") in {(each.property, each.reason) for each in failures}


def test_it_names_the_python_that_it_needs(unpacked: Path, tmp_path: Path) -> None:
    """Shows the error where there is none of that version."""
    done = subprocess.run(
        [unpacked / archive.EXECUTABLE, "127.0.0.1:1"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    version = ".".join(map(str, sys.version_info[:2]))
    assert done.returncode == 1
    assert f"needs Python {version}, and there is none on the PATH" in done.stderr


def test_it_has_what_it_needs_and_no_more(written: Path) -> None:
    """Shows what is left out: the gateway's packages, tools, and this checkout's own traces."""
    with tarfile.open(written) as packed:
        names = packed.getnames()
    packages = {name.split("/")[1] for name in names if name.startswith("packages/")}
    assert {"flink_jobs_provider", "grpc", "httpx", "pulumi", "pydantic"} <= packages
    assert not packages & {"pip", "uv", "debugpy", "starlette", "sqlalchemy", "psycopg", "pytest"}
    left = [name for name in names if name.endswith((".pth", "direct_url.json", ".pyc"))]
    assert not left


def test_one_environment_makes_one_archive(written: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.tar.gz"
    archive.write(again)
    assert again.read_bytes() == written.read_bytes()
