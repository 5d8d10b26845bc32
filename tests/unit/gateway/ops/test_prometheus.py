"""What Prometheus is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.gateway.ops.prometheus import Metrics
from flink_jobs_provider.model.action import Action, ActionResult


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return each sample's value by its name and its labels' values, in the labels' order."""
    content, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(content.decode())
        for sample in family.samples
    }


def row(action: Action, result: ActionResult, seconds: float) -> ActionRow:
    accepted = datetime(2026, 1, 1, tzinfo=UTC)
    return ActionRow(
        id="1",
        cluster="c",
        job_name="orders",
        run_id="r",
        action=action,
        result=result,
        output="",
        caller="ci",
        accepted_at=accepted,
        began_at=accepted,
        finished_at=accepted + timedelta(seconds=seconds),
    )


def test_requests_are_counted_by_route_and_status() -> None:
    metrics = Metrics()
    metrics.request("POST", "/clusters/{cluster}/runJob", 202, 0.02)
    metrics.request("POST", "/clusters/{cluster}/runJob", 202, 0.2)
    metrics.request("POST", "/clusters/{cluster}/runJob", 409, 0.01)
    metrics.request("PROPFIND", "other", 405, 0.01)
    found = samples(metrics)
    name = "flink_jobs_gateway_requests_total"
    assert found[name, "POST", "/clusters/{cluster}/runJob", "202"] == 2
    assert found[name, "POST", "/clusters/{cluster}/runJob", "409"] == 1
    assert found[name, "OTHER", "other", "405"] == 1
    name = "flink_jobs_gateway_request_seconds_bucket"
    assert found[name, "0.025", "POST", "/clusters/{cluster}/runJob"] == 2


def test_actions_are_counted_by_action_and_result() -> None:
    metrics = Metrics()
    metrics.action(row(Action.UPDATE, ActionResult.SUCCESS, 12.0))
    metrics.action(row(Action.UPDATE, ActionResult.FAILED, 12.0))
    found = samples(metrics)
    assert found["flink_jobs_gateway_actions_total", "UPDATE", "SUCCESS"] == 1
    assert found["flink_jobs_gateway_actions_total", "UPDATE", "FAILED"] == 1
    assert found["flink_jobs_gateway_action_seconds_sum", "UPDATE", "SUCCESS"] == 12


def test_gauges_say_how_it_is_now() -> None:
    metrics = Metrics()
    metrics.in_progress(3)
    metrics.cluster_reachable("c", reachable=True)
    assert samples(metrics)["flink_jobs_gateway_actions_in_progress",] == 3
    assert samples(metrics)["flink_jobs_gateway_cluster_reachable", "c"] == 1
    metrics.before_render(lambda: metrics.in_progress(5))
    metrics.cluster_reachable("c", reachable=False)
    assert samples(metrics)["flink_jobs_gateway_actions_in_progress",] == 5
    assert samples(metrics)["flink_jobs_gateway_cluster_reachable", "c"] == 0


def test_two_gateways_in_one_process_do_not_share_counts() -> None:
    one, other = Metrics(), Metrics()
    one.request("GET", "/healthz", 200, 0.001)
    assert ("flink_jobs_gateway_requests_total", "GET", "/healthz", "200") not in samples(other)


def test_the_version_is_told() -> None:
    assert any(name == "flink_jobs_gateway_info" for name, *_ in samples(Metrics()))
