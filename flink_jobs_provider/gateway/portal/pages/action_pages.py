"""The forms by which people act on jobs that are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from flink_jobs_provider.gateway.http.api_answers import Audit, status_of
from flink_jobs_provider.gateway.http.property_problems import (
    RefusedProperties,
)
from flink_jobs_provider.gateway.job_board import JobBoard
from flink_jobs_provider.gateway.portal.action_forms import (
    CONFIRM,
    VERSION_FIELDS,
    Form,
    Sent,
    shown_version,
)
from flink_jobs_provider.gateway.portal.addresses import Addresses
from flink_jobs_provider.gateway.portal.forms import sent_form
from flink_jobs_provider.gateway.portal.jar_choice import CLOSED, JarChoice, JarChooser
from flink_jobs_provider.gateway.portal.job_view import ActionView, JobView, job_view
from flink_jobs_provider.gateway.portal.offered_actions import (
    BY_PAGE,
    JobAction,
    Offers,
    offers,
)
from flink_jobs_provider.gateway.portal.pages.job_page import FoundJob, JobFinder, record_reveal
from flink_jobs_provider.gateway.portal.pages.new_job_page import REVIEW
from flink_jobs_provider.gateway.portal.submission import ActionPlan, Submission
from flink_jobs_provider.gateway.portal.templating import Templates
from flink_jobs_provider.gateway.portal.terminal import run_job_command
from flink_jobs_provider.gateway.portal.visit import Visit, Visits
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import Action

_SEEN = "seen"
#: Actions that are no change of what the job should be: there is nothing to plan.
_BRINGS_NOTHING_ABOUT = (Action.CANCEL, Action.DELETE, Action.LIST_SAVEPOINT)


@dataclass(frozen=True)
class _Shown:
    """What the page of an action on a job is made of.

    Attributes:
        found: The job.
        job_action: The action.
        view: The job as it is shown.
        whole: The same with its secrets.
        offers: The actions of the job.
    """

    found: FoundJob
    job_action: JobAction
    view: JobView
    whole: JobView
    offers: Offers
    reveal: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields that change the job."""
        names: tuple[str, ...] = VERSION_FIELDS if self.job_action.changes else ()
        if self.job_action.takes_args and not names:
            names = ("args",)
        return (*names, "savepoint") if self.job_action.takes_savepoint else names

    @property
    def refused(self) -> str:
        """Why it is not offered; empty where it is, or where a savepoint makes it possible."""
        if self.offers.restart is self.job_action:
            return ""
        return self.offers.of(self.job_action).reason

    def first_values(self, savepoint: str) -> dict[str, str]:
        """Return what the fields hold at first."""
        values = shown_version((self.whole if self.reveal else self.view).properties)
        values = {name: values.get(name, "") for name in self.fields}
        if "savepoint" in values and any(one.path == savepoint for one in self.view.savepoints):
            values["savepoint"] = savepoint
        return {**values, CONFIRM: "", _SEEN: self.found.row.last.id}


@dataclass
class ActionPages:
    """Shows the forms of actions, and takes what they send.

    Attributes:
        board: What is known of the jobs.
        finder: Finds the job.
        submission: Sends forms on.
        chooser: Answers the buttons by which a jar is chosen.
        visits: Who looks.
        templates: The portal's pages.
        addresses: Their addresses.
        audit: Where it is recorded who had secrets shown.
        body_bytes: The longest form.
    """

    board: JobBoard
    finder: JobFinder
    submission: Submission
    chooser: JarChooser
    visits: Visits
    templates: Templates
    addresses: Addresses
    audit: Audit
    body_bytes: int

    async def show(self, request: Request) -> Response:
        """Return the form of an action on a job."""
        visit = self.visits.of(request)
        reveal = request.query_params.get("secrets") == "shown"
        shown = await self._shown(request, visit, reveal=reveal)
        if reveal:
            record_reveal(self.audit, visit, shown.found)
        form = Form(shown.first_values(request.query_params.get("savepoint", "")))
        return await self._page(request, visit, shown, form, 200)

    async def send(self, request: Request) -> Response:
        """Ask for the action of a form."""
        visit = self.visits.of(request)
        shown = await self._shown(request, visit, reveal=False)
        sent = await sent_form(request, self.addresses, visit.session.form_key, self.body_bytes)
        form = Form({name: sent.get(name, "") for name in shown.first_values("")})
        if not visit.may_act(shown.found.cluster.key):
            raise Refusal("AuthorizationFailed", visit.text("reason.role"))
        cluster = shown.found.cluster
        if choice := await self._choice(shown, sent, form, visit):
            return await self._page(request, visit, shown, form, 200, choice)
        properties = self._request(shown, form, visit)
        await self._note_all(visit, cluster.key, properties, form)
        if form.problems:
            return await self._page(request, visit, shown, form, 400)
        try:
            if REVIEW in sent:
                row = shown.found.row
                plan = await self.submission.plan(cluster.key, row, properties, visit.name)
                return await self._page(request, visit, shown, form, 200, plan=plan)
            await self.submission.submit(request, visit, cluster.key, properties)
        except Refusal as refusal:
            form.refuse_all(refusal, visit.text)
            again = await self._shown(request, visit, reveal=False)
            return await self._page(request, visit, again, form, status_of(refusal))
        return RedirectResponse(self.addresses.job(shown.found.row.number), 303)

    async def _choice(
        self, shown: _Shown, sent: Mapping[str, str], form: Form, visit: Visit
    ) -> JarChoice | None:
        """Return what a button shows by which a jar is chosen; None for other buttons."""
        if "jar" not in shown.fields:
            return None
        return await self.chooser.answer(shown.found.cluster, sent, form, visit.text)

    def _request(self, shown: _Shown, form: Form, visit: Visit) -> dict[str, Any]:
        """Return what a form stands for, with what is wrong in it noted."""
        row, text = shown.found.row, visit.text
        if form.values[_SEEN] != row.last.id:
            last = row.last
            action = text.word("action", last.action)
            form.refuse("", text("problem.meanwhile", action=action, who=last.caller))
            form.values[_SEEN] = last.id
        if shown.job_action.drops and form.values[CONFIRM].strip() != row.job_name:
            form.refuse(CONFIRM, text("problem.confirm", name=row.job_name))
        sent = Sent(
            shown.job_action.action,
            row.job_name,
            row.run_id,
            shown.whole.properties,
            shown.view.properties,
        )
        properties = sent.request(form, shown.fields, text)
        if chosen := properties.get("savePointName"):
            names = {one.path: one.name for one in shown.view.savepoints}
            if chosen not in names:
                form.refuse("savepoint", text("problem.savepoint"))
            elif [*names.values()].count(names[chosen]) == 1:
                # By its name it is found as it is on record; a path is looked up in the mounts.
                properties["savePointName"] = names[chosen]
        return properties

    async def _note_all(
        self, visit: Visit, cluster: str, properties: Mapping[str, Any], form: Form
    ) -> None:
        """Note what else is wrong: all mistakes at once, though some may be known already."""
        try:
            await self.submission.check(cluster, properties, visit.name)
        except RefusedProperties as refusal:
            form.refuse_all(refusal, visit.text)

    async def _shown(self, request: Request, visit: Visit, *, reveal: bool) -> _Shown:
        job_action = BY_PAGE.get(request.path_params["action"])
        if job_action is None:
            raise Refusal("NotFound", visit.text("error.no_page"))
        found = await self.finder.find(request, visit)
        row, cluster = found.row, found.cluster
        savepoints = await self.board.savepoints(cluster.key, row.number)
        return _Shown(
            found,
            job_action,
            job_view(row, cluster, savepoints),
            job_view(row, cluster, savepoints, reveal=True),
            offers(row, visit.text, may_act=visit.may_act(cluster.key)),
            reveal,
        )

    async def _page(
        self,
        request: Request,
        visit: Visit,
        shown: _Shown,
        form: Form,
        status: int,
        choice: JarChoice = CLOSED,
        plan: ActionPlan | None = None,
    ) -> Response:
        row, cluster = shown.found.row, shown.found.cluster
        job_action = shown.job_action
        same = Sent(job_action.action, row.job_name).request(Form({}), (), visit.text)
        here = self.addresses.job(row.number, job_action.page)
        return self.templates.page(
            "action",
            visit.text,
            visit,
            status,
            here=here,
            job=shown.view,
            job_action=job_action,
            fields=shown.fields,
            form=form,
            refused=shown.refused,
            choice=choice,
            mounts=cluster.mounts,
            reviewable=job_action.action not in _BRINGS_NOTHING_ABOUT,
            plan=plan,
            review=REVIEW,
            slots=await self.board.task_slots(cluster.key) if job_action.starts else None,
            reveal=shown.reveal,
            may_act=visit.may_act(cluster.key),
            last=ActionView.of(row.last),
            command=run_job_command(cluster, self.addresses.whole(request, ""), same),
        )
