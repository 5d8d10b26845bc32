"""What each policy permits, refuses, and leaves to the update."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from flink_jobs_provider.engine.values import UNKNOWN, Secret
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.policy.declared_job import DeclaredJob
from flink_jobs_provider.policy.judging import Verdict, judge, judge_stack
from flink_jobs_provider.policy.policy_configuration import configured, defaults
from flink_jobs_provider.policy.rules import POLICIES
from tests.unit.policy.jobs import DIGEST, PERMITTED, RETENTION, job, urn

_OF_JOBS = [each.name for each in POLICIES if each.of_job]


def _judged(name: str, declared: DeclaredJob, **parameters: Any) -> Verdict:
    enforced = configured({name: ("mandatory", parameters)})[name]
    return judge(enforced.policy, declared, enforced.parameters)


def _refused(name: str, declared: DeclaredJob, **parameters: Any) -> str:
    """Return the one message of a policy that judged all."""
    verdict = _judged(name, declared, **parameters)
    assert verdict.unjudged is None
    (message,) = verdict.violations
    return message


@pytest.mark.parametrize("name", _OF_JOBS)
def test_a_careful_job_is_permitted(name: str) -> None:
    """Shows that a job with its state safe violates nothing, and that all of it was judged."""
    assert _judged(name, job()) == Verdict()


def test_the_careful_job_is_a_valid_one() -> None:
    """Shows that these tests judge inputs that exist."""
    assert JobSpec.model_validate(PERMITTED)


@pytest.mark.parametrize(
    ("mode", "why"),
    [("stateless", "drops the job's state"), ("blue-green", "write output twice")],
)
def test_state_is_carried_over_in_production(mode: str, why: str) -> None:
    """Shows that an upgrade without state, or with two versions, is refused on protected stacks."""
    message = _refused("state-carried-over", job(upgrade_mode=mode))
    assert message.startswith(f"orders: upgrade_mode is {mode}, which ")
    assert why in message
    assert message.endswith("Set it to savepoint or last-state.")


def test_which_stacks_are_protected_is_configured() -> None:
    """Shows that other stacks are not judged, that it is said, and that globs choose them."""
    declared = job(stack="dev", upgrade_mode="stateless")
    verdict = _judged("state-carried-over", declared)
    assert verdict == Verdict(not_applicable="the stack dev is none of those judged (prod*)")
    assert _judged("state-carried-over", declared, stacks=["d?v"]).violations


def test_last_state_can_be_refused_too() -> None:
    """Shows that the refused modes are those configured, and the advice one of the others."""
    refused = ["last-state", "stateless"]
    message = _refused("state-carried-over", job(upgrade_mode="last-state"), refused=refused)
    assert message.endswith("Set it to savepoint.")
    assert not _judged(
        "state-carried-over", job(upgrade_mode="blue-green"), refused=refused
    ).violations


@pytest.mark.parametrize(
    "directory",
    ["s3://b/s", "abfss://c@account.dfs.core.windows.net/s", "gs://b", "hdfs://name/s", "obs://b"],
)
def test_savepoints_in_shared_storage_outlive_the_cluster(directory: str) -> None:
    """Shows that object stores and HDFS are permitted."""
    assert not _judged("savepoint-directory", job(savepoint_directory=directory)).violations


@pytest.mark.parametrize(
    ("directory", "said"),
    [
        (None, "is not set, so savepoints go where the cluster's own configuration says"),
        ("/tmp/savepoints", "is /tmp/savepoints, and storage of the scheme file may end with"),
        ("file:///data/savepoints", "storage of the scheme file may end with the cluster"),
    ],
)
def test_savepoints_must_outlive_the_cluster(directory: str | None, said: str) -> None:
    """Shows that no directory, or one of a machine of the cluster, is refused."""
    message = _refused("savepoint-directory", job(savepoint_directory=directory))
    assert message.startswith("orders: savepoint_directory ")
    assert said in message
    assert "Set it to a directory in s3, " in message


@pytest.mark.parametrize("spelling", ["/mnt/shared", "file:/mnt/shared", "file:///mnt/shared/"])
@pytest.mark.parametrize("configured_as", ["/mnt/shared", "file:///mnt/shared/"])
def test_a_shared_file_system_can_be_permitted(spelling: str, configured_as: str) -> None:
    """Shows that a mount is permitted in each spelling, with what is below it, and not beside."""
    policy, given = "savepoint-directory", {"directories": [configured_as]}
    assert not _judged(policy, job(savepoint_directory=spelling), **given).violations
    below = spelling.rstrip("/") + "/orders"
    assert not _judged(policy, job(savepoint_directory=below), **given).violations
    alongside = spelling.rstrip("/") + "-other"
    assert _judged(policy, job(savepoint_directory=alongside), **given).violations


@pytest.mark.parametrize(
    ("permitted", "directory"),
    [
        ("/mnt/shared", "/mnt/shared/../../tmp/savepoints"),
        ("/mnt/shared", "file:///mnt/shared/.."),
        ("viewfs://c/shared", "viewfs://c/shared/../scratch"),
    ],
)
def test_a_path_does_not_lead_out_of_a_permitted_directory(permitted: str, directory: str) -> None:
    """Shows that `..` is taken out of a path before it is compared, as Flink does."""
    given = {"schemes": [], "directories": [permitted]}
    (message,) = _judged(
        "savepoint-directory", job(savepoint_directory=directory), **given
    ).violations
    assert message.endswith(f" Set it to a directory below {permitted}.")
    inside = f"{permitted}//a/./b/../c"
    assert not _judged("savepoint-directory", job(savepoint_directory=inside), **given).violations


def test_a_configuration_that_permits_no_directory_is_said_to() -> None:
    """Shows that the remedy names what is configured, where no directory would be right."""
    given: dict[str, list[str]] = {"schemes": [], "directories": []}
    (message,) = _judged(
        "savepoint-directory", job(savepoint_directory="s3://a/b"), **given
    ).violations
    assert message.endswith(
        "None is permitted: configure `schemes` or `directories` of this policy."
    )


def test_the_bucket_of_a_service_is_a_savepoint_directory() -> None:
    """Shows that a job of Data Lake Insight may write the savepoints of its stops to its bucket."""
    target = {"kind": "dli", "region": "eu-west-101", "project_id": "p", "token": "env:T"}
    declared = job(target=target, savepoint_directory=None, dli={"obs_bucket": "bucket"})
    assert not _judged("savepoint-directory", declared).violations


def test_a_deletion_takes_a_savepoint_in_production() -> None:
    """Shows that a cancel is refused, also by default, and a release is permitted."""
    for inputs in ({"on_delete": "cancel"}, {"on_delete": None}):
        message = _refused("savepoint-on-delete", job(**inputs))
        assert message == (
            "orders: on_delete is cancel, which ends the job without a savepoint when its resource "
            "is deleted. Set it to savepoint or release."
        )
    assert not _judged("savepoint-on-delete", job(on_delete="release")).violations
    assert _judged(
        "savepoint-on-delete", job(on_delete="release"), allowed=["savepoint"]
    ).violations
    assert not _judged("savepoint-on-delete", job(stack="dev", on_delete="cancel")).violations


def test_a_jar_is_pinned_by_its_address_or_by_approval() -> None:
    """Shows the two ways, how many digits count, and that other bytes are no longer approved."""
    plain = "s3://jars/orders.jar"
    message = _refused("jar-pinned", job(jar=plain))
    assert "orders: jar is s3://jars/orders.jar, whose content may change" in message
    assert f"Add its SHA-256 {DIGEST} to `digests`" in message
    assert not _judged("jar-pinned", job(jar=plain), digests=[DIGEST]).violations
    assert _judged("jar-pinned", job(jar=plain, jar_digest="8" * 64), digests=[DIGEST]).violations
    short = f"s3://jars/{DIGEST[:8]}/orders.jar"
    assert _judged("jar-pinned", job(jar=short)).violations
    assert not _judged("jar-pinned", job(jar=short), digits=8).violations


def test_no_credential_of_an_address_is_shown() -> None:
    """Shows that messages about addresses mask what is in them."""
    message = _refused("jar-pinned", job(jar="https://me:hidden@host/orders.jar?sig=hidden"))
    assert "hidden" not in message
    message = _refused("savepoint-directory", job(savepoint_directory="ftp://me:hidden@host/s"))
    assert "hidden" not in message


def test_parallelism_has_a_maximum() -> None:
    """Shows the maximum, exceptions by name, that of a rehearsal, and that it is off by default."""
    assert not _judged("job-parallelism", job(parallelism=4000)).violations
    assert not _judged("job-parallelism", job(parallelism=8), maximum=8).violations
    message = _refused("job-parallelism", job(parallelism=9), maximum=8)
    assert message == (
        "orders: parallelism is 9, above the maximum of 8. "
        'Lower it, or raise `exceptions["orders"]` of this policy.'
    )
    given = {"maximum": 8, "exceptions": {"orders": 16}}
    assert not _judged("job-parallelism", job(parallelism=9), **given).violations
    copy = job(rehearsal={"args": ["--topic", "t"], "parallelism": 20})
    assert "rehearsal.parallelism is 20" in _refused("job-parallelism", copy, maximum=8)


def _stack(*jobs: DeclaredJob, **parameters: Any) -> Verdict:
    enforced = configured({"stack-parallelism": ("mandatory", parameters)})["stack-parallelism"]
    return judge_stack(enforced.policy, jobs, enforced.parameters)


def test_a_stack_has_a_maximum() -> None:
    """Shows that running jobs count together, and that it is off by default."""
    jobs = [job(parallelism=4), job(parallelism=5), job(parallelism=6, desired_state="stopped")]
    assert not _stack(*jobs).violations
    assert not _stack(*jobs, maximum=9).violations
    assert _stack(*jobs, maximum=8).violations == (
        "stack prod: parallelism is 9 over all 2 running jobs, above the maximum of 8. "
        "Lower that of some, or raise `maximum` of this policy.",
    )
    assert _stack(maximum=8).not_applicable == "the stack has no Flink jobs"
    assert _stack(job(parallelism=UNKNOWN), maximum=8).unjudged


@pytest.mark.parametrize(
    ("args", "paths"),
    [
        (["--user", "me", "--password", "hunter2"], ["args[3]"]),
        (["--password=hunter2"], ["args[0]"]),
        (["--db.api-key", "abc", "--secret_key=x1"], ["args[1]", "args[2]"]),
        (["jdbc:postgresql://me:hunter2@host/db"], ["args[0]"]),
        (["--header", "Bearer abcdefgh"], ["args[1]"]),
        (["--password", "env:DB_PASSWORD", "--token=${TOKEN}"], []),
        (["--password-file", "/run/secrets/db", "--token", "/run/secrets/t"], []),
        (["--max-token", "100", "--secret", "--verbose"], []),
        (["--url", "jdbc:postgresql://host/db?ssl=true"], []),
        (["password", "is-no-option"], []),
        ([], []),
    ],
)
def test_plain_secrets_of_arguments(args: list[str], paths: list[str]) -> None:
    """Shows what counts as a secret in plain text, and that it is not repeated in the message."""
    found = _judged("no-plain-secrets", job(args=args)).violations
    assert [each.split()[1] for each in found] == paths
    assert all("looks like a secret in plain text" in each for each in found)
    assert not any("hunter2" in each or "abcdefgh" in each for each in found)


def test_secrets_of_pulumi_are_not_plain() -> None:
    """Shows that a secret of the configuration is permitted, alone and within a secret list."""
    given: list[Any] = ["--password", Secret("hunter2")]
    assert _judged("no-plain-secrets", job(args=given)) == Verdict()
    assert _judged("no-plain-secrets", job(args=Secret(["--password", "hunter2"]))) == Verdict()


def test_plain_secrets_of_options_and_rehearsals() -> None:
    """Shows that Flink options are judged by their keys, and the inputs of a rehearsal as well."""
    options = {
        "s3.secret-key": "abc",
        "fs.azure.account.key.mine": "abc",
        "s3.access-key": Secret("abc"),
        "state.backend.type": "rocksdb",
    }
    found = _judged("no-plain-secrets", job(flink_configuration=options)).violations
    assert [each.split()[1] for each in found] == [
        'flink_configuration["s3.secret-key"]',
        'flink_configuration["fs.azure.account.key.mine"]',
    ]
    copy = job(rehearsal={"args": ["--password", "hunter2"]})
    assert "orders: rehearsal.args[1] looks" in _refused("no-plain-secrets", copy)


def test_further_names_of_secrets() -> None:
    """Shows that an organization's own word for a secret counts."""
    declared = job(args=["--db-passphrase", "hunter2"])
    assert not _judged("no-plain-secrets", declared).violations
    assert _judged("no-plain-secrets", declared, names=["passphrase"]).violations


def test_state_is_checked() -> None:
    """Shows that `off` is refused, `warn` if so configured, and that services have no check."""
    message = _refused("state-checked", job(state_check="off"))
    assert message.startswith("orders: state_check is off, so state that does not fit")
    assert not _judged("state-checked", job(state_check="warn")).violations
    assert "goes on" in _refused("state-checked", job(state_check="warn"), allowed=["strict"])
    service = job(target={"kind": "hdinsight"}, state_check="off")
    assert not _judged("state-checked", service).violations


def test_checkpoints_are_retained() -> None:
    """Shows that it must be said by the job, unless its clusters do, and never the opposite."""
    policy = "checkpoints-retained"
    unset, deleted = job(flink_configuration={}), {RETENTION: "DELETE_ON_CANCELLATION"}
    message = _refused(policy, unset)
    assert message.startswith(f'orders: flink_configuration["{RETENTION}"] is not set')
    assert message.endswith("Set it to RETAIN_ON_CANCELLATION.")
    assert not _judged(policy, unset, set_by_clusters=True).violations
    assert _judged(policy, job(flink_configuration=None)).violations
    assert "a cancel deletes" in _refused(
        policy, job(flink_configuration=deleted), set_by_clusters=True
    )
    hidden = job(flink_configuration=Secret({RETENTION: "RETAIN_ON_CANCELLATION"}))
    assert not _judged(policy, hidden).violations


@pytest.mark.parametrize(
    ("name", "inputs", "path"),
    [
        ("state-carried-over", {"upgrade_mode": UNKNOWN}, "upgrade_mode"),
        ("savepoint-directory", {"savepoint_directory": UNKNOWN}, "savepoint_directory"),
        ("savepoint-on-delete", {"on_delete": UNKNOWN}, "on_delete"),
        ("jar-pinned", {"jar": UNKNOWN}, "jar"),
        ("jar-pinned", {"jar": "s3://j/o.jar", "jar_digest": None}, "jar_digest"),
        ("job-parallelism", {"parallelism": UNKNOWN}, "parallelism"),
        ("no-plain-secrets", {"args": UNKNOWN}, "args"),
        ("no-plain-secrets", {"args": ["--topic", UNKNOWN]}, "args[1]"),
        ("state-checked", {"target": UNKNOWN}, "target"),
        ("state-checked", {"state_check": UNKNOWN}, "state_check"),
        ("checkpoints-retained", {"flink_configuration": UNKNOWN}, "flink_configuration"),
        (
            "checkpoints-retained",
            {"flink_configuration": {RETENTION: UNKNOWN}},
            f'flink_configuration["{RETENTION}"]',
        ),
    ],
)
def test_what_is_unknown_is_not_judged_and_named(
    name: str, inputs: dict[str, Any], path: str
) -> None:
    """Shows that a preview violates nothing by what it does not know, and says what it left out."""
    given = {"maximum": 8} if name == "job-parallelism" else {}
    verdict = _judged(name, job(**inputs), **given)
    assert not verdict.violations
    assert verdict.unjudged is not None
    assert verdict.unjudged.startswith(f"orders: {path} is known only once the update has run")


def test_what_is_known_is_judged_beside_what_is_not() -> None:
    """Shows that an unknown argument hides no plain secret, and unknown others do not count."""
    args: list[Any] = ["--host", UNKNOWN, "--password", "hunter2"]
    verdict = _judged("no-plain-secrets", job(args=args))
    assert len(verdict.violations) == 1
    assert verdict.unjudged
    assert not _judged("savepoint-on-delete", job(args=UNKNOWN)).unjudged


def test_a_job_of_unknown_name_is_named_by_its_resource() -> None:
    """Shows that a message always names the job."""
    declared = DeclaredJob(urn("orders-eu"), {"job_name": UNKNOWN, "on_delete": "cancel"})
    assert _refused("savepoint-on-delete", declared).startswith("orders-eu: ")


@pytest.mark.process
def test_policies_need_no_pulumi() -> None:
    """Shows that the rules are judged without Pulumi's SDK, or one for policies."""
    seen = "import sys, flink_jobs_provider.policy.judging as _; "
    seen += "sys.exit(any(each.split('.')[0] in ('pulumi', 'grpc', 'pulumi_policy') "
    seen += "for each in sys.modules))"
    assert subprocess.run([sys.executable, "-c", seen], check=False).returncode == 0


def test_each_policy_is_of_jobs_or_of_stacks() -> None:
    """Shows that each judges one of the two, and has a name of its own."""
    assert all((each.of_job is None) != (each.of_stack is None) for each in POLICIES)
    assert len(defaults()) == len(POLICIES)
