"""Uploading a jar with a form: where it is permitted, over nothing that is there, recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from tests.portal_pages import Form, Page
from tests.unit.gateway.jobs.gateway import CLUSTER, make_jar
from tests.unit.gateway.portal.browsing import (
    JARS,
    UPLOAD_BYTES,
    Browser,
    Opened,
    opened_portal,
)

NEW = "/portal/new"
UPDATE = "/portal/jobs/1/update"
#: Where uploads are permitted.
PLACE = f"{JARS}/uploads"


def look_with_uploads(
    directory: Path,
    test: Callable[[Opened], Awaitable[None]],
    uploads: tuple[str, ...] = (PLACE,),
) -> None:
    async def run() -> None:
        async with opened_portal(directory, cluster={"uploads": list(uploads)}) as portal:
            (directory / "storage/uploads").mkdir(exist_ok=True)
            await test(portal)

    asyncio.run(run())


def _jar(directory: Path, note: str = "") -> bytes:
    return make_jar(directory / "made.jar", note).read_bytes()


async def upload(
    browser: Browser,
    form: Form,
    name: str,
    content: bytes,
    origin: str | None = None,
    **values: str,
) -> httpx.Response:
    form.fields.setdefault("jar_file", "")
    fields = form.filled(**values)
    del fields["jar_file"]
    return await browser.client.post(
        form.action,
        data=fields,
        files={"jar_file": (name, content, "application/java-archive")},
        headers={"Origin": origin or browser.origin},
    )


def _uploaded(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "storage/uploads").iterdir())


def test_a_jar_is_uploaded_and_what_was_typed_stays(tmp_path: Path) -> None:
    """Shows the file, its class, the audit log, the same again, and the job that runs it."""
    content = _jar(tmp_path)

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        form = (await browser.get(NEW)).form(NEW)
        form.fields["upload_to"] = PLACE
        given = {"job_name": "orders", "args": "--a b", "options": "a.b: c\nd: e"}
        answer = await upload(browser, form, "mine.jar", content, **given)
        assert answer.status_code == 200, answer.text
        page = Page(answer.text)
        kept = page.form(NEW).fields
        assert kept["jar"] == f"{PLACE}/mine.jar"
        assert kept["entry_class"] == "Main"
        assert {name: kept[name] for name in given} == given
        assert "The jar was uploaded." in page.text
        assert (tmp_path / "storage/uploads/mine.jar").read_bytes() == content
        assert _uploaded(tmp_path) == ["mine.jar"]
        entry = portal.audit.entries[-1]
        assert (entry["who"], entry["what"]) == ("ada", f"upload {PLACE}/mine.jar")
        page = Page((await upload(browser, form, "mine.jar", content)).text)
        assert "The same jar was there already." in page.text
        await browser.sent(page.form(NEW), **given)
        await portal.settled()
        assert (await portal.gateway.row()).status == "RUNNING"

    look_with_uploads(tmp_path, test)


@pytest.mark.parametrize("page", [NEW, UPDATE])
def test_a_jar_that_is_too_large_loses_nothing_that_was_typed(tmp_path: Path, page: str) -> None:
    """Shows what was typed before and behind the file, and that nothing of the file is stored."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await portal.gateway.done("NEW", jar=f"file://{portal.gateway.jar}")
        form = (await browser.get(page)).form(page)
        form.fields["upload_to"] = PLACE
        typed = {"entry_class": "com.example.Typed", "args": "--typed", "parallelism": "7"}
        answer = await upload(browser, form, "mine.jar", bytes(UPLOAD_BYTES + 1), **typed)
        assert answer.status_code == 200, answer.text
        seen = Page(answer.text)
        assert "The file is larger than 1.0 MiB, which is the limit." in seen.text
        kept = seen.form(page).fields
        assert {name: kept[name] for name in typed} == typed
        assert _uploaded(tmp_path) == []
        entry = portal.audit.entries[-1]
        assert (entry["what"], entry["result"]) == (
            f"upload {PLACE}/mine.jar",
            "RequestContentTooLarge",
        )
        # What is many times too large is not even passed over.
        answer = await upload(browser, form, "mine.jar", bytes(5 * UPLOAD_BYTES), **typed)
        assert answer.status_code == 413

    look_with_uploads(tmp_path, test)


def test_an_update_takes_an_uploaded_jar(tmp_path: Path) -> None:
    content = _jar(tmp_path, "newer")

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await portal.gateway.done("NEW", jar=f"file://{portal.gateway.jar}")
        form = (await browser.get(UPDATE)).form(UPDATE)
        form.fields["upload_to"] = PLACE
        page = Page((await upload(browser, form, "v2.jar", content)).text)
        await browser.sent(page.form(UPDATE))
        await portal.settled()
        assert (await portal.gateway.row()).record.spec.jar.endswith("/uploads/v2.jar")

    look_with_uploads(tmp_path, test)


def test_another_content_of_the_same_name_stays_as_it_is(tmp_path: Path) -> None:
    first, second = _jar(tmp_path, "first"), _jar(tmp_path, "second")

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        form = (await browser.get(NEW)).form(NEW)
        form.fields["upload_to"] = PLACE
        await upload(browser, form, "mine.jar", first)
        page = Page((await upload(browser, form, "mine.jar", second)).text)
        (problem,) = page.find("p", role="alert", class_="problem")
        assert "is there already, with other content" in problem.text
        assert "give the file another name" in problem.text
        assert (tmp_path / "storage/uploads/mine.jar").read_bytes() == first
        assert _uploaded(tmp_path) == ["mine.jar"]
        assert portal.audit.entries[-1]["result"] == "Conflict"

    look_with_uploads(tmp_path, test)


@pytest.mark.parametrize(
    ("name", "content", "place", "said"),
    [
        ("x.jar", b"no archive", PLACE, "x.jar is not a jar (no zip archive)."),
        ("x.txt", None, PLACE, "is not the name of a jar"),
        ("../x.jar", None, PLACE, "is not the name of a jar"),
        ("/etc/x.jar", None, PLACE, "is not the name of a jar"),
        (".x.jar", None, PLACE, "is not the name of a jar"),
        ("x.jar", None, JARS, "Nothing is uploaded to abfs://jobs@account."),
        ("x.jar", None, f"{PLACE}/..", "Nothing is uploaded to"),
        ("", b"", PLACE, "No file was chosen."),
    ],
)
def test_what_is_not_uploaded(
    name: str, content: bytes | None, place: str, said: str, tmp_path: Path
) -> None:
    """Shows that nothing of it is left in any directory, and that the form comes back."""
    content = _jar(tmp_path) if content is None else content

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        form = (await browser.get(NEW)).form(NEW)
        form.fields["upload_to"] = place
        answer = await upload(browser, form, name, content, job_name="typed")
        assert answer.status_code == 200, answer.text
        page = Page(answer.text)
        assert said in page.find("p", role="alert", class_="problem")[0].text
        assert page.form(NEW).fields["job_name"] == "typed"
        assert _uploaded(tmp_path) == []
        assert sorted(path.name for path in (tmp_path / "storage").iterdir()) == [
            *("orders.jar", "uploads"),
        ]

    look_with_uploads(tmp_path, test)


def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    content = _jar(tmp_path)

    async def test(portal: Opened) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "storage/uploads").rmdir()
        (tmp_path / "storage/uploads").symlink_to(tmp_path / "outside")
        browser = await portal.signed_in()
        form = (await browser.get(NEW)).form(NEW)
        form.fields["upload_to"] = PLACE
        page = Page((await upload(browser, form, "x.jar", content)).text)
        assert "leads out of the storage" in page.find("p", role="alert", class_="problem")[0].text
        assert list((tmp_path / "outside").iterdir()) == []

    look_with_uploads(tmp_path, test)


def test_who_may_not_upload(tmp_path: Path) -> None:
    """Shows a reader, another site's page, a form without its key, and no session at all."""
    content = _jar(tmp_path)

    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        browser = await portal.signed_in()
        form = (await browser.get(UPDATE)).form(UPDATE)
        form.fields["upload_to"] = PLACE
        answer = await upload(browser, form, "x.jar", content, origin="http://elsewhere")
        assert answer.status_code == 403
        other = {"form_key": "0" * 64, "form_owner": ""}
        answer = await upload(browser, form, "x.jar", content, **other)
        assert answer.status_code == 403
        reader = await portal.signed_in("reader", Role.READ)
        theirs = (await reader.get(UPDATE)).form(UPDATE)
        theirs.fields["upload_to"] = PLACE
        assert (await upload(reader, theirs, "x.jar", content)).status_code == 415
        stranger = await portal.browser()
        answer = await upload(stranger, form, "x.jar", content, form_owner="")
        assert answer.status_code == 401
        answer = await upload(stranger, form, "x.jar", content)
        assert answer.headers["location"].startswith("/portal/sign-in?"), "the session has ended"
        assert _uploaded(tmp_path) == []

    look_with_uploads(tmp_path, test)


def test_without_a_place_nothing_is_uploaded(tmp_path: Path) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        page = await browser.get(NEW)
        assert page.find("input", type="file") == []
        form = page.form(NEW)
        form.fields["upload_to"] = PLACE
        assert (await upload(browser, form, "x.jar", _jar(tmp_path))).status_code == 415
        assert _uploaded(tmp_path) == []

    look_with_uploads(tmp_path, test, uploads=())


@pytest.mark.parametrize(
    ("uploads", "said"),
    [
        (["abfs://other@account/x"], "must lie in a storage that is mounted for this cluster"),
        (["abfs://store@account/x"], "must lie below a mount that is a directory of this machine"),
        ([f"{JARS}/../x"], r"must not hold . or .. between slashes"),
    ],
)
def test_places_that_the_configuration_refuses(uploads: list[str], said: str) -> None:
    mounts = {JARS: "file:///srv/jobs", "abfs://store@account": "s3://bucket"}
    with pytest.raises(ValidationError, match=said):
        ClusterConfiguration.model_validate(
            {
                "id": CLUSTER,
                "flink": {"url": "http://flink:8081"},
                "mounts": mounts,
                "uploads": uploads,
            }
        )
