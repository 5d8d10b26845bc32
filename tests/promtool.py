"""Prometheus' own tool, which evaluates alerting rules on what would have been scraped."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.core import Metric

#: The scrape configuration of docs/gateway.md.
SCRAPED_AS = "flink-jobs-gateway"


def promtool() -> str:
    """Return the path of the tool; empty if there is none."""
    return shutil.which("promtool") or ""


def why_no_promtool() -> str:
    """Return why a test run has no such tool; empty if it has one."""
    return "" if promtool() else "no promtool is on the PATH (Debian's package is prometheus)"


def check_rules(rules: Path) -> str:
    """Return what Prometheus has against a file of rules; empty for nothing."""
    return _run("check", "rules", "--lint-fatal", str(rules))


class Scrapes:
    """What Prometheus has of gateways that it has scraped, minute by minute."""

    def __init__(self) -> None:
        self._minutes = 0
        self._series: dict[str, list[str]] = {}

    def minute(self, **scraped: Iterable[Metric] | None) -> None:
        """Add a minute: what each gateway, by its name, answered; None where it did not."""
        values: dict[str, float] = {}
        for instance, families in scraped.items():
            target = {"job": SCRAPED_AS, "instance": instance}
            values[_series("up", target)] = families is not None
            for sample in (each for family in families or () for each in family.samples):
                # A label of a sample that the target has, too, is renamed.
                own = {
                    f"exported_{name}" if name in target else name: value
                    for name, value in sample.labels.items()
                }
                values[_series(sample.name, {**own, **target})] = sample.value
        for name in {*self._series, *values}:
            before = self._series.setdefault(name, ["_"] * self._minutes)
            before.append(f"{values[name]:.17g}" if name in values else "stale")
        self._minutes += 1

    def alerts(
        self, directory: Path, rules: Path, expected: Mapping[str, Iterable[Mapping[str, str]]]
    ) -> str:
        """Return how what fires in the last minute differs from what should; empty if not at all.

        Args:
            directory: Where the test is written.
            rules: The rules.
            expected: The labels of what fires, by the name of the alert; its annotations, as the
                rules have them, may hold these labels alone.
        """
        known = yaml.safe_load(rules.read_text(encoding="utf-8"))
        texts = {
            rule["alert"]: rule["annotations"] for each in known["groups"] for rule in each["rules"]
        }
        tests = [
            {
                "eval_time": self._last,
                "alertname": alert,
                "exp_alerts": [
                    {"exp_labels": dict(labels), "exp_annotations": _filled(texts[alert], labels)}
                    for labels in expected.get(alert, ())
                ],
            }
            for alert in texts
        ]
        return self._test(directory, [rules], alert_rule_test=tests)

    def query(
        self, directory: Path, expression: str, expected: Iterable[tuple[Mapping[str, str], float]]
    ) -> str:
        """Return how a query's result in the last minute differs from labels and their values."""
        samples = [{"labels": _series("", labels), "value": value} for labels, value in expected]
        test = {"expr": expression, "eval_time": self._last, "exp_samples": samples}
        return self._test(directory, [], promql_expr_test=[test])

    @property
    def _last(self) -> str:
        return f"{self._minutes - 1}m"

    def _test(self, directory: Path, rules: list[Path], **tests: list[dict[str, Any]]) -> str:
        series = [
            {"series": name, "values": " ".join(values)} for name, values in self._series.items()
        ]
        document = {
            "rule_files": list(map(str, rules)),
            "evaluation_interval": "1m",
            "tests": [{"interval": "1m", "input_series": series, **tests}],
        }
        path = directory / "scrapes.yml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return _run("test", "rules", str(path))


def _series(name: str, labels: Mapping[str, str]) -> str:
    pairs = ",".join(f"{key}={json.dumps(value)}" for key, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}"


def _filled(texts: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    found = dict(texts)
    for label, value in labels.items():
        written = f"{{{{ $labels.{label} }}}}"
        found = {name: text.replace(written, value) for name, text in found.items()}
    return found


def _run(*words: str) -> str:
    done = subprocess.run(
        [promtool(), *words], capture_output=True, text=True, timeout=60, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
