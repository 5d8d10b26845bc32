"""The rule by which a fault strikes, and the requests that are to be struck."""

from __future__ import annotations

from tests.fault_proxy import Exchange, Moment, Verdict
from tests.faults.matrix.kinds import FaultKind, RequestOfRun, Strike, requests_of

BEFORE, AFTER = Moment.BEFORE, Moment.AFTER
STOP = "POST /jobs/…/stop"


def exchange(method: str, path: str, number: int = 0, run: str = "one") -> Exchange:
    """Return an exchange of a run."""
    return Exchange(method, path, number, 0, run=run)


def stop(run: str = "one") -> Exchange:
    return exchange("POST", f"/jobs/{'a' * 32}/stop", 1, run)


def list_jobs(run: str = "one") -> Exchange:
    return exchange("GET", "/jobs/overview", 0, run)


def test_requests_are_told_by_text_and_number() -> None:
    """Shows that all that change something are taken, of equal reads the first, none of others."""
    sent = [list_jobs(), stop(), list_jobs("two"), list_jobs(), list_jobs(), stop()]
    found = requests_of(sent, "one", reads=2)
    assert [(each.text, each.number) for each in found] == [
        ("GET /jobs/overview", 1),
        (STOP, 1),
        ("GET /jobs/overview", 2),
        (STOP, 2),
    ]
    assert [each.reads for each in found] == [True, False, True, False]
    assert [str(each) for each in requests_of(sent, "one", reads=0, former=True)] == [
        f"{STOP} of the former cluster",
        f"{STOP} (no. 2) of the former cluster",
    ]


def test_a_strike_hits_one_request_of_its_run_once() -> None:
    strike = Strike(FaultKind("x", AFTER, Verdict.RESET), RequestOfRun(STOP, 2), "one")
    first, other, second = stop(), stop("two"), stop()
    asked = [(first, BEFORE), (other, BEFORE), (first, AFTER), (second, BEFORE)]
    assert [strike(*each) for each in asked] == [Verdict.PASS] * 4
    assert not strike.struck
    assert strike(second, AFTER) is Verdict.RESET
    assert strike.struck
    assert strike(stop(), AFTER) is Verdict.PASS


def test_a_killed_run_gets_nothing_more() -> None:
    """Shows it for the request that was under way, and for later ones; other runs go on."""
    killed = []
    kind = FaultKind("x", BEFORE, Verdict.PASS, kills=True)
    strike = Strike(kind, RequestOfRun(STOP), "one", lambda: killed.append(True))
    sent = stop()
    assert strike(sent, BEFORE) is Verdict.PASS, "it reaches the cluster"
    assert killed == [True]
    assert strike(sent, AFTER) is Verdict.DROP
    assert strike(list_jobs(), BEFORE) is Verdict.DROP
    assert strike(list_jobs("two"), BEFORE) is Verdict.PASS


def test_a_lasting_fault_strikes_all_that_follows() -> None:
    strike = Strike(FaultKind("x", BEFORE, Verdict.DROP, lasts=True), RequestOfRun(STOP), "one")
    assert strike(list_jobs(), BEFORE) is Verdict.PASS
    assert strike(stop(), BEFORE) is Verdict.DROP
    assert strike(list_jobs(), BEFORE) is Verdict.DROP
    assert strike(list_jobs("two"), BEFORE) is Verdict.PASS


def test_a_strike_hits_the_same_request_to_one_of_two_clusters() -> None:
    """Shows it of the former cluster and of the declared one; the other one's are not counted."""
    kind = FaultKind("x", AFTER, Verdict.RESET)
    for former in (True, False):
        strike = Strike(kind, RequestOfRun(STOP, former=former), "one")
        there, here = stop(), stop()
        for moment in (BEFORE, AFTER):
            assert strike(there, moment, former=not former) is Verdict.PASS
        assert strike(here, BEFORE, former=former) is Verdict.PASS
        assert strike(here, AFTER, former=former) is Verdict.RESET


def test_a_killed_run_reaches_neither_cluster_and_a_fault_that_lasts_is_of_one() -> None:
    killed = Strike(FaultKind("x", BEFORE, kills=True), RequestOfRun(STOP, former=True), "one")
    lasting = Strike(FaultKind("x", BEFORE, lasts=True), RequestOfRun(STOP, former=True), "one")
    for strike, after in ((killed, Verdict.DROP), (lasting, Verdict.PASS)):
        assert strike(list_jobs(), BEFORE) is Verdict.PASS
        assert strike(stop(), BEFORE, former=True) is Verdict.DROP
        assert strike(list_jobs(), BEFORE, former=True) is Verdict.DROP
        assert strike(list_jobs(), BEFORE) is after
