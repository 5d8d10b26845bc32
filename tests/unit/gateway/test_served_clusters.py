"""Where the URIs of callers lead, and where they must not lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import Mounts

MOUNTS = Mounts(
    {
        "abfs://jobs@account": "file:///srv/jobs",
        "abfs://jobs@account/team-a": "s3://team-a/jars/",
        "https://repo.example.com/jars": "https://repo.example.com/jars",
        "/opt/jars": "/opt/jars",
    }
)


@pytest.mark.parametrize(
    ("uri", "resolved"),
    [
        ("abfs://jobs@account/orders/a.jar", "file:///srv/jobs/orders/a.jar"),
        ("ABFS://Jobs@Account/Orders/a.jar", "file:///srv/jobs/Orders/a.jar"),
        ("abfs://jobs@account//orders///a.jar", "file:///srv/jobs/orders/a.jar"),
        ("abfs://jobs@account/team-a/a.jar", "s3://team-a/jars/a.jar"),
        ("abfs://jobs@account/team-ab/a.jar", "file:///srv/jobs/team-ab/a.jar"),
        ("abfs://jobs@account/Team-A/a.jar", "file:///srv/jobs/Team-A/a.jar"),
        ("abfs://jobs@account/a..b/...jar", "file:///srv/jobs/a..b/...jar"),
        ("abfs://jobs@account/a%20b.jar", "file:///srv/jobs/a%20b.jar"),
        ("https://repo.example.com/jars/a.jar", "https://repo.example.com/jars/a.jar"),
        ("/opt/jars/a.jar", "/opt/jars/a.jar"),
        ("file:///opt/jars/a.jar", "/opt/jars/a.jar"),
        ("file:/opt/jars/a.jar", "/opt/jars/a.jar"),
    ],
)
def test_the_longest_mounted_prefix_of_whole_segments_wins(uri: str, resolved: str) -> None:
    assert MOUNTS.resolve(uri, "properties.jobJarDirectory") == resolved


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("abfs://other@account/a.jar", "must lie in a storage that is mounted"),
        ("abfs://jobs@account.example.com/a.jar", "mounted: /opt/jars, abfs://jobs@account"),
        ("abfs://jobs@account@evil/a.jar", "mounted"),
        ("abfss://jobs@account/a.jar", "mounted"),
        ("file:///etc/passwd", "mounted"),
        ("/etc/passwd", "mounted"),
        ("/opt/jarsx/a.jar", "mounted"),
        ("http://169.254.169.254/latest/meta-data", "mounted"),
        ("https://repo.example.com/other/a.jar", "mounted"),
        ("https://repo.example.com:444/jars/a.jar", "mounted"),
        ("https://user@repo.example.com/jars/a.jar", "mounted"),
        ("memory://x", "mounted"),
        ("", "must be a URI of 1 to"),
        ("abfs://jobs@account/" + "a" * 5000, "must be a URI of 1 to"),
        ("a.jar", "must be an absolute URI"),
        ("jobs/a.jar", "must be an absolute URI"),
        ("abfs:jobs@account/a.jar", "must be an absolute URI"),
        ("abfs:///jobs/a.jar", "must name a place after abfs://"),
        ("file://host/opt/jars/a.jar", "must have no host"),
        (" abfs://jobs@account/a.jar", "blanks"),
        ("abfs://jobs@account/../a.jar", "must not hold . or .."),
        ("abfs://jobs@account/x/..", "must not hold . or .."),
        ("abfs://jobs@account/./a.jar", "must not hold . or .."),
        ("abfs://../a.jar", "must not hold . or .."),
        ("/opt/jars/../../etc/passwd", "must not hold . or .."),
        ("abfs://jobs@account/%2e%2E/a.jar", "encoded"),
        ("abfs://jobs@account/..%2fa.jar", "encoded"),
        ("abfs://jobs@account/%252e%252e/a.jar", "encoded"),
        ("abfs://jobs@account/%5c..%5ca.jar", "encoded"),
        ("abfs://jobs@account/a.jar%00.txt", "encoded"),
        ("abfs://jobs@account/..\\..\\a.jar", "forward slashes"),
        ("abfs://jobs@account/zip://x::file:///etc/a.jar", "no ::"),
        ("abfs://jobs@account/a\x00.jar", "control characters"),
        ("abfs://jobs@account/a\n.jar", "control characters"),
        ("https://repo.example.com/jars/a.jar?x=/../../y", "no ? and no #"),
        ("https://repo.example.com/jars/a.jar#x", "no ? and no #"),
    ],
)
def test_what_leads_elsewhere_is_refused_by_property(uri: str, said: str) -> None:
    with pytest.raises(Refusal) as caught:
        MOUNTS.resolve(uri, "properties.jobJarDirectory")
    refusal = caught.value
    assert (status_of(refusal), refusal.code) == (400, "InvalidParameter")
    assert refusal.target == "properties.jobJarDirectory"
    assert refusal.message.startswith("properties.jobJarDirectory must")
    assert said in refusal.message


def test_a_refusal_does_not_tell_where_a_mount_leads() -> None:
    with pytest.raises(Refusal) as caught:
        MOUNTS.resolve("memory://x", "jar")
    assert "/srv" not in caught.value.message
    assert "s3://" not in caught.value.message


def test_without_mounts_nothing_is_opened() -> None:
    for uri in ("file:///srv/a.jar", "/srv/a.jar", "abfs://jobs@account/a.jar", "http://h/a.jar"):
        with pytest.raises(Refusal, match=r"mounted: nothing"):
            Mounts({}).resolve(uri, "jar")


_PIECES = [
    "..",
    ".",
    "/",
    "//",
    "\\",
    "%2e",
    "%2f",
    "a",
    "team-a",
    "\x00",
    "::",
    "~",
    "@",
    ":",
    " ",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))
def test_no_path_leads_out_of_its_mount(path: str) -> None:
    """Shows that whatever is put together, it is refused or stays below the storage's prefix."""
    try:
        resolved = MOUNTS.resolve(f"abfs://jobs@account/{path}", "jar")
    except Refusal:
        return
    assert resolved.startswith(("file:///srv/jobs", "s3://team-a/jars"))
    assert not {"..", "."} & set(resolved.split("/"))


@pytest.mark.parametrize(
    ("mounts", "said"),
    [
        ({"abfs://jobs@account/..": "file:///srv"}, "abfs://jobs@account/..: must not hold"),
        ({"jobs": "file:///srv"}, "jobs: must be an absolute URI"),
        ({"abfs://jobs@account": "srv/jobs"}, "srv/jobs: must be an absolute URI"),
        ({"abfs://jobs@account": "file://srv/jobs"}, "must have no host, as in file:///srv/"),
        ({"abfs://jobs@account": "~/jobs"}, "~/jobs: must be an absolute URI"),
        ({"abfs://a@b": "/x", "ABFS://A@b/": "/y"}, "ABFS://A@b/: is mounted twice"),
    ],
)
def test_what_cannot_be_mounted_is_named(mounts: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=r"must|mounted") as caught:
        Mounts(mounts)
    assert said in str(caught.value)


def test_a_place_is_named_as_callers_would_name_it() -> None:
    mounts = Mounts(
        {
            "obs://bucket": "s3://mirror",
            "abfs://jobs@account/": "s3://mirror/jobs/",
            "file:///srv": "file:///srv",
        }
    )
    assert mounts.named("s3://mirror/a/b.jar") == "obs://bucket/a/b.jar"
    assert mounts.named("s3://mirror/jobs/b.jar") == "abfs://jobs@account/b.jar"
    assert mounts.named("s3://mirrored/b.jar") is None
    assert mounts.resolve("abfs://jobs@account/b.jar", "") == "s3://mirror/jobs/b.jar"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cannot open file:///srv/jobs/a.jar: no", "cannot open abfs://jobs@account/a.jar: no"),
        ("Looked for /srv/jobs/a.jar", "Looked for abfs://jobs@account/a.jar"),
        ("s3://bucket/x/a.jar does not exist", "obs://b/a.jar does not exist"),
        ("abfs://else@where/srv/jobs/a.jar", "abfs://else@where/srv/jobs/a.jar"),
        ("/srv/jobsx/a.jar, /data/srv/jobs/a", "/srv/jobsx/a.jar, /data/srv/jobs/a"),
        ("file:///opt/jars/a.jar", "file:///opt/jars/a.jar"),
    ],
)
def test_callers_are_told_of_places_in_their_own_words(text: str, told: str) -> None:
    """Shows that the real place behind a mount is not told."""
    mounts = Mounts(
        {
            "abfs://jobs@account": "file:///srv/jobs",
            "obs://b": "s3://bucket/x",
            "file:///opt/jars": "file:///opt/jars",
        }
    )
    assert mounts.in_callers_words(text) == told
