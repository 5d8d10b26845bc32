"""Each step of "Job Management from Azure Portal", by the portal's forms, on a real Flink."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from flink_jobs_provider.gateway.principal import Role
from tests.counting_output import assert_counts_continuous
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import COMMAND, GatewayProcess, another_cluster_id
from tests.job_jars import COUNTING_JAR
from tests.portal_pages import Form, Page
from tests.waiting import wait_until

COUNTING_CLASS = "flinkjobs.counting.CountingJob"
NEW, SIGN_IN = "/portal/new", "/portal/sign-in"


class _Portal:
    """The portal as somebody uses it who is signed in."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._client = gateway.client("")
        self._origin = gateway.url
        self.job = ""
        self.gateway = gateway
        self.token = ""

    def close(self) -> None:
        self._client.close()

    def get(self, address: str) -> Page:
        answer = self._client.get(address, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    def send(self, form: Form, **values: str) -> str:
        """Send a form, and return where it leads."""
        answer = self._client.post(
            form.action, data=form.filled(**values), headers={"Origin": self._origin}
        )
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def act(self, action: str, **values: str) -> Page:
        """Send the form of an action, and return the job's page when it has ended."""
        address = f"{self.job}/{action}"
        self.send(self.get(address).form(address), **values)
        return self.settled()

    def settled(self) -> Page:
        """Return the job's page when no action is in progress."""

        def ended() -> Page:
            page = self.get(self.job)
            first = page.find("th", data_label="Action")[0].text
            assert not first.startswith("In progress"), page.text
            assert first.startswith("Succeeded"), page.text
            return page

        return wait_until(ended, 120, "the action ended", interval=0.2)

    def status(self, page: Page) -> str:
        return page.find("p", class_="state")[0].text.split()[0]

    def stream(self) -> Iterator[str]:
        """Return the lines of the job's events."""
        url = self.get(self.job).find("div", data_live="")[0].attributes["data-events"]
        with self._client.stream("GET", url) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield from answer.iter_lines()


@pytest.fixture
def portal(tmp_path: Path, flink_2: FlinkCluster) -> Iterator[_Portal]:
    """Return the portal of a gateway of its own, signed in."""
    served = GatewayProcess(tmp_path, flink_2.url, portal={}, cluster_id=another_cluster_id())
    with closing(served) as gateway:
        token = gateway.token("ada", Role.OPERATE)
        gateway.start()
        with closing(_Portal(gateway)) as portal:
            page = portal.get("/portal/")
            assert portal.send(page.form(SIGN_IN), token=token) == "/portal/"
            portal.token = token
            yield portal
        assert token not in gateway.everything_written()
        assert gateway.stop() == 0


def test_every_step_by_forms(portal: _Portal, tmp_path: Path) -> None:
    """Shows that each does what the service's documentation says, and that the counts go on."""
    output = tmp_path / "out"
    args = f"--output {output} --rate 200 --checkpoint-interval 200"
    form = portal.get(NEW).form(NEW)
    assert (form.method, form.fields["parallelism"]) == ("post", "2")
    portal.job = portal.send(
        form,
        job_name="counting",
        jar=f"abfs://jobs@account/{COUNTING_JAR.name}",
        entry_class=COUNTING_CLASS,
        args=f"{args} --label one",
        parallelism="1",
    )
    lines = portal.stream()
    wait_until(lambda: "RUNNING" in next(lines), 60, "the stream shows that it runs", interval=0)
    lines.close()  # type: ignore[attr-defined]
    page = portal.settled()
    assert portal.status(page) == "RUNNING"
    first_id = page.fact("Flink's jobId")
    _shows_health(portal)

    page = portal.act("savepoint")
    assert page.fact("Flink's jobId") == first_id, "it goes on running"
    (first,) = [each.text for each in page.find("th", data_label="Savepoint")]
    page = portal.act("stop")
    assert portal.status(page) == "STOPPED"
    last = page.find("th", data_label="Savepoint")[0].text
    assert last != first

    start = portal.get(f"{portal.job}/start")
    assert start.fact("Last savepoint") == last
    page = portal.act("start", savepoint_path=last)
    assert portal.status(page) == "RUNNING"
    assert page.fact("Started from") == last

    page = portal.act("update", args=f"{args} --label two")
    assert portal.status(page) == "RUNNING"
    assert page.fact("Started from") != last, "a savepoint of the update itself"
    assert "--label two" in page.fact("Args")
    page = portal.act("stop")
    assert_counts_continuous(output, complete=True)
    portal.act("start")

    fresh = args.replace(str(output), str(tmp_path / "fresh"))
    page = portal.act("stateless-update", args=fresh, confirm="counting")
    assert portal.status(page) == "RUNNING"
    assert not any(each.text == "Started from" for each in page.find("dt"))
    page = portal.act("cancel", confirm="counting")
    assert portal.status(page) == "CANCELED"
    address = f"{portal.job}/delete"
    portal.send(portal.get(address).form(address), confirm="counting")
    wait_until(lambda: "There are no jobs yet" in portal.get("/portal/").text or None, 60, "gone")


def test_a_job_started_by_hand_is_adopted_changed_and_goes_back(
    portal: _Portal, flink_2: FlinkCluster, tmp_path: Path
) -> None:
    """Shows that nothing restarts at the adoption, and that no count is missing or repeated."""
    output = tmp_path / "out"
    args = ["--output", str(output), "--rate", "200", "--checkpoint-interval", "200"]
    job_id = flink_2.run(COUNTING_JAR, args, entryClass=COUNTING_CLASS, parallelism=1)
    began = flink_2.jobs()[job_id]["start-time"]

    def listed() -> str:
        found = _links(portal.get("/portal/clusters"))
        assert any(f"adopt={job_id}" in each for each in found)
        return next(each for each in found if f"adopt={job_id}" in each)

    page = portal.get(wait_until(listed, 30, "the job is listed"))
    assert page.form(NEW).fields["parallelism"] == "1"
    given = {
        "job_name": "counting",
        "jar": f"abfs://jobs@account/{COUNTING_JAR.name}",
        "entry_class": COUNTING_CLASS,
        "args": " ".join(args),
    }
    portal.job = portal.send(page.form(NEW), **given)
    page = portal.settled()
    assert (portal.status(page), page.fact("Flink's jobId")) == ("RUNNING", job_id)
    assert flink_2.jobs()[job_id]["start-time"] == began
    assert not any(f"adopt={job_id}" in each for each in _links(portal.get("/portal/clusters")))
    page = portal.act("update", parallelism="2")
    second = page.fact("Flink's jobId")
    assert (second != job_id, portal.status(page)) == (True, "RUNNING")
    assert job_id in page.fact("Started from")
    back = page.link("Go back to it")
    page = portal.get(back)
    assert page.fact("Parallelism") == "1"
    portal.send(page.form(back))
    page = portal.settled()
    assert (portal.status(page), page.fact("Parallelism")) == ("RUNNING", "1")
    assert second in page.fact("Started from")
    portal.act("stop")
    assert_counts_continuous(output, complete=True)


def test_a_job_is_released_and_adopted_again(
    portal: _Portal, flink_2: FlinkCluster, tmp_path: Path
) -> None:
    """Shows that the job is not restarted, and is there to be adopted when it is off the record."""
    output = tmp_path / "out"
    args = f"--output {output} --rate 200 --checkpoint-interval 200"
    given = {
        "jar": f"abfs://jobs@account/{COUNTING_JAR.name}",
        "entry_class": COUNTING_CLASS,
        "args": args,
        "parallelism": "1",
    }
    portal.job = portal.send(portal.get(NEW).form(NEW), job_name="released", **given)
    job_id = portal.settled().fact("Flink's jobId")
    began = flink_2.jobs()[job_id]["start-time"]
    address = f"{portal.job}/release"
    portal.send(portal.get(address).form(address), confirm="released")

    def listed() -> str:
        found = _links(portal.get("/portal/clusters"))
        assert any(f"adopt={job_id}" in each for each in found)
        return next(each for each in found if f"adopt={job_id}" in each)

    page = portal.get(wait_until(listed, 30, "the job is there to be adopted"))
    portal.job = portal.send(page.form(NEW), job_name="adopted", **given)
    page = portal.settled()
    assert (portal.status(page), page.fact("Flink's jobId")) == ("RUNNING", job_id)
    assert flink_2.jobs()[job_id]["start-time"] == began
    portal.act("stop")
    assert_counts_continuous(output, complete=True)


def _links(page: Page) -> list[str]:
    return [each.attributes.get("href", "") for each in page.find("a")]


def _shows_health(portal: _Portal) -> None:
    """Check what is observed of the job that runs, once its cluster has gathered its load."""

    def loaded() -> Page:
        page = portal.get(portal.job)
        assert page.fact("Busiest vertex") != "not reported", page.text
        return page

    page = wait_until(loaded, 60, "its load is shown", interval=0.2)
    assert page.fact("State in Flink").startswith("RUNNING, since 20")
    assert page.fact("Restarts") == "0"
    assert page.fact("Records emitted by sources").endswith("/s")
    assert page.fact("Last completed").startswith("checkpoint, 20")
    assert page.find("th", data_label="Vertex")[0].text.startswith("Source")
    assert not page.find("section", class_="card needs")

    def listed() -> Page:
        found = portal.get("/portal/")
        assert found.find("td", data_label="Restarts")[0].text == "0", found.text
        assert found.find("td", data_label="Last checkpoint")[0].text.startswith("20"), found.text
        return found

    def observed() -> Page:
        found = portal.get("/portal/clusters")
        assert " of " in found.fact("Metaspace of the JobManager"), found.text
        assert " of " in found.fact("Heap of the fullest TaskManager"), found.text
        return found

    page = wait_until(observed, 30, "the cluster is observed", interval=0.2)
    assert page.find("span", class_="pill good")[0].text == "Reachable"
    assert page.fact("Flink version").startswith("2.")
    assert page.fact("Task slots").split()[0].isdigit()
    page = wait_until(listed, 30, "restarts and checkpoints are listed", interval=0.2)
    assert not page.find("tr", class_="attention"), page.text


def test_a_launch_that_fails_says_why(portal: _Portal) -> None:
    """Shows a class that the jar has not, in the list and on the job's page."""
    portal.job = portal.send(
        portal.get(NEW).form(NEW),
        job_name="wrong",
        jar=f"abfs://jobs@account/{COUNTING_JAR.name}",
        entry_class="com.example.Missing",
    )

    def failed() -> Page:
        page = portal.get(portal.job)
        assert "JOB_LAUNCH_FAILED" in page.text
        return page

    page = wait_until(failed, 60, "the launch failed")
    assert "com.example.Missing" in page.find("p", class_="output bad")[0].text
    (row,) = portal.get("/portal/?attention=1").find("tr", class_="attention")
    assert "wrong" in row.text


def test_the_token_is_needed(portal: _Portal) -> None:
    """Shows that somebody else's browser gets no further than the sign-in."""
    with httpx.Client(base_url=portal._origin, trust_env=False) as other:
        answer = other.get("/portal/")
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            f"{SIGN_IN}?next=%2Fportal%2F",
        )


def test_a_link_of_the_command_line_signs_in(portal: _Portal, tmp_path: Path) -> None:
    """Shows a real gateway on this machine: one line, one sign-in, and no token in any log."""
    config = tmp_path / "link.yaml"
    port = urlsplit(portal.gateway.url).port
    config.write_text(yaml.safe_dump({**portal.gateway.content, "listen": {"port": port}}))
    made = subprocess.run(
        [*COMMAND, "gateway", "sign-in-link", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "FLINK_JOBS_GATEWAY_TOKEN": portal.token},
    )
    assert made.returncode == 0, made.stderr
    (link,) = made.stdout.split()
    origin = portal.gateway.url
    assert link.startswith(f"{origin}/portal/sign-in/once?code=")
    with httpx.Client(base_url=origin, trust_env=False) as browser:
        form = Page(browser.get(link).text).form("/portal/sign-in/once")
        for status in (303, 401):
            answer = browser.post(form.action, data=form.filled(), headers={"Origin": origin})
            assert answer.status_code == status, answer.text
        assert "ada" in browser.get("/portal/").text
