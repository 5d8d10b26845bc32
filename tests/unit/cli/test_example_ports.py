"""One variable moves the whole example: cluster, gateway and stack."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]


def planned(*words: str) -> str:
    """Return what make would run."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FLINK_JOBS", "MAKE"))}
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_port_moves_cluster_and_gateway() -> None:
    said = planned("cluster", "PORT=9100")
    assert "local up --port 9100 --gateway .gateway/gateway-9100.yaml" in said
    assert "PORT=8181 moves" in said
    assert "s/127.0.0.1:8081/127.0.0.1:9100/" in said
    assert "s/port: 8090/port: 9109/" in said


def test_what_is_replaced_is_in_the_file_of_the_gateway() -> None:
    """Shows that the substitutions above find what they are for."""
    text = (ROOT / "stacks/gateway.yaml").read_text(encoding="utf-8")
    moved = text.replace("127.0.0.1:8081", "127.0.0.1:9100").replace("port: 8090", "port: 9109")
    content = yaml.safe_load(moved)
    assert content["listen"]["port"] == 9109
    assert content["clusters"][0]["flink"]["url"] == "http://127.0.0.1:9100"
