"""Choosing a jar in a form by its buttons: a directory is opened, or a jar is taken.

The whole form is sent for that and comes back, so that what was typed stays, also without any
script. Nothing is asked of the job service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flink_jobs_provider.gateway.apis.job_inputs import masked_args
from flink_jobs_provider.gateway.job_board import JobBoard
from flink_jobs_provider.gateway.portal.action_forms import Form
from flink_jobs_provider.gateway.portal.jar_browser import JarBrowser, JarDirectory
from flink_jobs_provider.gateway.portal.text import Text
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration

#: Names of the buttons: what opens a directory, and what takes a jar.
BROWSE, TAKE = "browse", "take"
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
    """

    board: JobBoard
    browser: JarBrowser

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
            return JarChoice(problem=refusal.message.replace("properties.jarName", "").strip())
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
        rows = await self.board.jobs(cluster.key, jar_name=uri.rpartition("/")[2])
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
