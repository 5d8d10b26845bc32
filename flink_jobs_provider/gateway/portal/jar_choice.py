"""Choosing a jar in a form by its buttons: a directory is opened, or a jar is taken.

The whole form is sent for that and comes back, so that what was typed stays, also without any
script. Nothing is asked of the job service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from flink_jobs_provider.gateway.apis.job_inputs import masked_args
from flink_jobs_provider.gateway.http.api_answers import Audit, status_of
from flink_jobs_provider.gateway.job_board import JobBoard
from flink_jobs_provider.gateway.job_service import JobsOfCluster
from flink_jobs_provider.gateway.ops.log import AuditEntry
from flink_jobs_provider.gateway.portal.action_forms import Form
from flink_jobs_provider.gateway.portal.addresses import Addresses
from flink_jobs_provider.gateway.portal.forms import (
    SentUpload,
    has_file,
    sent_form,
    sent_upload,
)
from flink_jobs_provider.gateway.portal.jar_browser import JarBrowser, JarDirectory
from flink_jobs_provider.gateway.portal.jar_uploads import JarUploads
from flink_jobs_provider.gateway.portal.service_texts import translated
from flink_jobs_provider.gateway.portal.text import Text
from flink_jobs_provider.gateway.portal.visit import Visit
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration

#: Names of the buttons: what opens a directory, and what takes a jar.
BROWSE, TAKE = "browse", "take"
#: Names of the fields of an upload.
FILE, UPLOAD_TO = "jar_file", "upload_to"
#: What opens the directory of the jar that is named in the form; else that of the mounts.
_HERE = "here"


@dataclass(frozen=True)
class JarChoice:
    """What a form shows of the jars that can be chosen.

    Attributes:
        directory: What an opened directory holds; None where none is open.
        notes: What was filled in, and from where.
        problem: Why a directory or a jar cannot be read; empty where it can.
    """

    directory: JarDirectory | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


CLOSED = JarChoice()


@dataclass(frozen=True)
class JarChooser:
    """Answers the buttons by which a jar is chosen.

    Attributes:
        board: What is known of the jobs: arguments are proposed from those of the same jar.
        browser: Reads the storages.
        uploads: Puts uploaded jars there.
        addresses: The portal's addresses.
        audit: Where it is recorded who uploaded what.
        upload_bytes: The largest jar.
    """

    board: JobBoard
    browser: JarBrowser
    uploads: JarUploads
    addresses: Addresses
    audit: Audit
    upload_bytes: int

    async def sent(
        self, request: Request, visit: Visit, limit: int, *, may_upload: bool
    ) -> tuple[Mapping[str, str], SentUpload | None]:
        """Return the fields of a form, and the file that came along.

        Raises:
            Refusal: The form is not accepted.
        """
        key = visit.session.form_key
        if not (may_upload and has_file(request)):  # a file that may not be sent is not read
            return await sent_form(request, self.addresses, key, limit), None
        upload = await sent_upload(request, self.addresses, key, limit, self.upload_bytes)
        return upload.fields, upload

    async def uploaded(
        self, cluster: ClusterConfiguration, upload: SentUpload, form: Form, visit: Visit
    ) -> JarChoice:
        """Store a jar that came with a form, and fill in what it proposes."""
        text, directory = visit.text, upload.fields.get(UPLOAD_TO, "")
        with upload.content:
            if not upload.name:
                return JarChoice(problem=text("jars.no_file"))
            try:
                if not visit.may_act(cluster.key):
                    raise Refusal("AuthorizationFailed", text("reason.role"))
                if upload.too_large:
                    most = text("jars.too_large", size=text.size(self.upload_bytes))
                    raise Refusal("RequestContentTooLarge", most)
                jar = await self.uploads.put(cluster, directory, upload.name, upload.content)
            except Refusal as refusal:
                self._record(cluster, visit, f"{directory}/{upload.name}", refusal)
                return JarChoice(problem=_problem(refusal, text))
        self._record(cluster, visit, jar.uri)
        form.values["jar"] = jar.uri
        note = text("jars.was_there") if jar.was_there else text("jars.uploaded")
        try:
            return JarChoice(notes=(note, *(await self.propose(cluster, form, text))))
        except Refusal as refusal:
            return JarChoice(notes=(note,), problem=_problem(refusal, text))

    def _record(
        self,
        cluster: ClusterConfiguration,
        visit: Visit,
        jar: str,
        refusal: Refusal | None = None,
    ) -> None:
        self.audit(
            AuditEntry(
                who=visit.name,
                what=f"upload {jar[:500]}",
                cluster=cluster.key,
                result=refusal.code if refusal else "ACCEPTED",
                status=status_of(refusal) if refusal else 200,
            )
        )

    async def answer(
        self, cluster: ClusterConfiguration, sent: Mapping[str, str], form: Form, text: Text
    ) -> JarChoice | None:
        """Return what a button shows, with the form's values filled in; None for other buttons."""
        try:
            if TAKE in sent:
                form.values["jar"] = sent[TAKE].strip()
                return JarChoice(notes=await self.propose(cluster, form, text))
            if BROWSE in sent:
                return JarChoice(await self._open(cluster, sent[BROWSE], form))
        except Refusal as refusal:
            return JarChoice(problem=_problem(refusal, text))
        return None

    async def propose(
        self, cluster: ClusterConfiguration, form: Form, text: Text
    ) -> tuple[str, ...]:
        """Fill in what the jar that a form names says of itself; return what was filled in.

        Raises:
            Refusal: The jar cannot be read.
        """
        uri = form.values["jar"]
        main_class = await self.browser.main_class(cluster, uri)
        notes = [text("jars.taken", jar=uri)]
        if not main_class:
            notes.append(text("jars.no_class"))
        elif not form.values.get("entry_class", "").strip():
            form.values["entry_class"] = main_class
            notes.append(text("jars.class_filled", name=main_class))
        elif form.values["entry_class"].strip() != main_class:
            notes.append(text("jars.class_other", name=main_class))
        if not form.values.get("args", "").strip():
            notes += await self._arguments(cluster, uri, form, text)
        return tuple(notes)

    async def _arguments(
        self, cluster: ClusterConfiguration, uri: str, form: Form, text: Text
    ) -> list[str]:
        """Fill in the arguments of the newest job of the same jar, if none of them is a secret."""
        url = cluster.storage.resolve(uri, "properties.jarName")
        rows = await self.board.jobs(JobsOfCluster(cluster.key, jar_name=uri.rpartition("/")[2]))
        for row in reversed(rows):
            args = " ".join(row.record.spec.args)
            if row.record.spec.jar == url and args and masked_args(args) == args:
                form.values["args"] = args
                return [text("jars.args_filled", job=row.job_name)]
        return []

    async def _open(self, cluster: ClusterConfiguration, wanted: str, form: Form) -> JarDirectory:
        if wanted != _HERE:
            return await self.browser.directory(cluster, wanted)
        try:
            return await self.browser.directory(cluster, form.values["jar"].rpartition("/")[0])
        except Refusal:  # what is typed there so far is no place: begin with the mounts
            return await self.browser.directory(cluster, "")


def _problem(refusal: Refusal, text: Text) -> str:
    """Return why a jar cannot be chosen, with its field called as it is labelled."""
    message = refusal.message.replace("properties.jarName", text("field.jar"))
    return translated(message, text.language)
