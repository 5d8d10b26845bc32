"""The forms by which people act on jobs that are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from flink_jobs_provider.gateway.apis.action_plans import ActionPlan
from flink_jobs_provider.gateway.http.api_answers import Audit, status_of
from flink_jobs_provider.gateway.http.property_problems import (
    RefusedProperties,
)
from flink_jobs_provider.gateway.job_board import MOST_SAVEPOINTS
from flink_jobs_provider.gateway.jobs.transitions import releasing
from flink_jobs_provider.gateway.portal.action_forms import (
    CONFIRM,
    REHEARSAL_ARGS,
    Form,
    Sent,
    confirm_unclaimed,
    drops_unclaimed,
    refused_after,
    shown_version,
)
from flink_jobs_provider.gateway.portal.jar_choice import CLOSED, JarChoice
from flink_jobs_provider.gateway.portal.job_view import (
    ActionView,
    as_started_next,
    job_view,
)
from flink_jobs_provider.gateway.portal.kept_forms import KEPT, restored
from flink_jobs_provider.gateway.portal.meanwhile import (
    in_progress,
    meanwhile,
    take_over,
)
from flink_jobs_provider.gateway.portal.offered_actions import (
    BY_PAGE,
    START_DRAFT,
    offers,
)
from flink_jobs_provider.gateway.portal.pages.job_page import JobFinder, record_reveal
from flink_jobs_provider.gateway.portal.pages.new_job_page import REVIEW
from flink_jobs_provider.gateway.portal.pages.page_parts import FormPage
from flink_jobs_provider.gateway.portal.pages.shown_action import SEEN, ShownAction
from flink_jobs_provider.gateway.portal.stack_notes import sets_apart
from flink_jobs_provider.gateway.portal.submission import (
    Asked,
    start_of_draft,
)
from flink_jobs_provider.gateway.portal.terminal import release_samples, request_samples
from flink_jobs_provider.gateway.portal.text import Text
from flink_jobs_provider.gateway.portal.visit import Visit
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import Action

#: Actions that are no change of what the job should be: there is nothing to plan.
_BRINGS_NOTHING_ABOUT = (Action.CANCEL, Action.DELETE, Action.LIST_SAVEPOINT)


@dataclass(frozen=True)
class ActionPages(FormPage):
    """Shows the forms of actions, and takes what they send.

    Attributes:
        finder: Finds the job.
        audit: Where it is recorded who had secrets shown.
    """

    finder: JobFinder
    audit: Audit

    async def show(self, request: Request) -> Response:
        """Return the form of an action on a job."""
        visit = self.visits.of(request)
        reveal = request.query_params.get("secrets") == "shown"
        shown = await self._shown(request, visit, reveal=reveal)
        if reveal:
            record_reveal(self.audit, visit, shown.found)
        form = Form(shown.first_values(request.query_params.get("savepoint", "")))
        restored(self.kept, request, visit, form)
        return await self._page(request, visit, shown, form, 200)

    async def send(self, request: Request) -> Response:
        """Ask for the action of a form."""
        visit = self.visits.of(request)
        shown = await self._shown(request, visit, reveal=False)
        cluster, may_act = shown.found.cluster, visit.may_act(shown.found.cluster.key)
        sent, upload = await self.chooser.sent(
            request,
            visit,
            self.body_bytes,
            may_upload=may_act and bool(cluster.uploads) and "jar" in shown.fields,
        )
        form = Form({name: sent.get(name, "") for name in shown.first_values("")})
        form.kept = sent.get(KEPT, "")
        if not may_act:
            raise Refusal("AuthorizationFailed", visit.text("reason.role"))
        if upload:
            uploaded = await self.chooser.uploaded(cluster, upload, form, visit)
            return await self._page(request, visit, shown, form, 200, uploaded)
        if choice := await self._choice(shown, sent, form, visit):
            return await self._page(request, visit, shown, form, 200, choice)
        noted = _meanwhile_noted(shown, form, visit.text)
        asked = await self._asked(shown, form, visit)
        if form.problems:
            plan = await self._plan_of_rest(shown, asked, visit) if form.noted == noted else None
            return await self._page(
                request, visit, shown, form, 400, plan=plan, asked=asked if plan else None
            )
        try:
            if REVIEW in sent:
                row = shown.found.row
                plan = await self.submission.plan(cluster.key, row, asked, visit.name)
                return await self._page(request, visit, shown, form, 200, plan=plan, asked=asked)
            await self.submission.submit(request, visit, cluster.key, asked, form.values[SEEN])
        except Refusal as refusal:
            if REVIEW not in sent:
                refused_after(form, refusal, visit.text)
            again = await self._shown(request, visit, reveal=False)
            if refusal.code == "ActionInProgress" and again.found.row.last.finished_at is None:
                form.refuse("", in_progress(again.found.row.last, visit.text))
            elif refusal.code == "Conflict" and again.found.row.last.id != form.values[SEEN]:
                _meanwhile_noted(again, form, visit.text)
            else:
                form.refuse_all(refusal, visit.text)
            return await self._page(request, visit, again, form, status_of(refusal))
        self.kept.sent(form.kept, request.url.path, visit.name)
        return RedirectResponse(self.addresses.job(shown.found.row.number), 303)

    async def _choice(
        self, shown: ShownAction, sent: Mapping[str, str], form: Form, visit: Visit
    ) -> JarChoice | None:
        """Return what a button shows by which a jar is chosen; None for other buttons."""
        if "jar" not in shown.fields:
            return None
        return await self.chooser.answer(shown.found.cluster, sent, form, visit.text)

    async def _asked(self, shown: ShownAction, form: Form, visit: Visit) -> Asked:
        """Return what a form stands for, with all that is wrong in it noted."""
        row, text = shown.found.row, visit.text
        if shown.job_action is START_DRAFT:
            if shown.starts_from and drops_unclaimed({}, row):
                confirm_unclaimed(form, row.job_name, text)
            return start_of_draft(row, visit.name)
        properties = self._request(shown, form, text)
        if shown.job_action.releases:
            return releasing(row, visit.name)
        await self._note_all(visit, shown.found.cluster.key, properties, form)
        args = form.values.get(REHEARSAL_ARGS, "").split()
        if args and args == form.values.get("args", "").split():
            form.refuse(REHEARSAL_ARGS, text("problem.rehearsal_args"))
        if not args or form.problems:
            return properties
        return await self.submission.rehearsed(row.cluster, properties, args, visit.name)

    async def _plan_of_rest(
        self, shown: ShownAction, asked: Asked, visit: Visit
    ) -> ActionPlan | None:
        """Return what a form would do whose job has changed meanwhile, if it would do anything."""
        if shown.job_action.action in _BRINGS_NOTHING_ABOUT:
            return None
        row = shown.found.row
        try:
            return await self.submission.plan(row.cluster, row, asked, visit.name)
        except Refusal:
            return None  # it is said when the form is sent again

    def _request(self, shown: ShownAction, form: Form, text: Text) -> dict[str, Any]:
        """Return the properties of a runJob that a form stands for, with mistakes noted."""
        row = shown.found.row
        sent = Sent(
            shown.job_action.action,
            row.job_name,
            row.run_id,
            shown.whole.properties,
            shown.view.properties,
        )
        properties = sent.request(form, shown.fields, text)
        if shown.job_action.drops:
            if form.values[CONFIRM].strip() != row.job_name:
                form.refuse(CONFIRM, text("problem.confirm", name=row.job_name))
        elif shown.job_action.starts and drops_unclaimed(properties, row):
            confirm_unclaimed(form, row.job_name, text)
        if chosen := properties.get("savePointName"):
            names = {one.path: one.name for one in shown.view.savepoints}
            if chosen not in names:
                form.refuse("savepoint", text("problem.savepoint"))
            elif [*names.values()].count(names[chosen]) == 1:
                # By its name it is found as it is on record; a path is looked up in the mounts.
                properties["savePointName"] = names[chosen]
        if path := form.values.get("savepoint_path", "").strip():
            if chosen:
                form.refuse("savepoint_path", text("problem.two_savepoints"))
            elif "/" not in path:
                form.refuse("savepoint_path", text("problem.no_path"))
            else:
                properties["savePointName"] = path
        return properties

    async def _note_all(
        self, visit: Visit, cluster: str, properties: Mapping[str, Any], form: Form
    ) -> None:
        """Note what else is wrong: all mistakes at once, though some may be known already."""
        try:
            await self.submission.check(cluster, properties, visit.name)
        except RefusedProperties as refusal:
            form.refuse_all(refusal, visit.text)

    async def _shown(self, request: Request, visit: Visit, *, reveal: bool) -> ShownAction:
        job_action = BY_PAGE.get(request.path_params["action"])
        if job_action is None:
            raise Refusal("NotFound", visit.text("error.no_page"))
        found = await self.finder.find(request, visit)
        row, cluster = found.row, found.cluster
        offered = offers(row, visit.text, may_act=visit.may_act(cluster.key))
        if offered.of(job_action) is None:
            raise Refusal("NotFound", visit.text("error.no_page"))
        savepoints = await self.board.savepoints(cluster.key, row.number, MOST_SAVEPOINTS)
        version = as_started_next(row) if job_action.starts else row
        return ShownAction(
            found,
            job_action,
            job_view(version, cluster, savepoints),
            job_view(version, cluster, savepoints, reveal=True),
            offered,
            reveal,
        )

    async def _page(
        self,
        request: Request,
        visit: Visit,
        shown: ShownAction,
        form: Form,
        status: int,
        choice: JarChoice = CLOSED,
        plan: ActionPlan | None = None,
        asked: Asked | None = None,
    ) -> Response:
        row, cluster = shown.found.row, shown.found.cluster
        job_action = shown.job_action
        sample = Sent(job_action.action, row.job_name).request(Form({}), (), visit.text)
        if isinstance(asked, Mapping):
            sample = {name: value for name, value in asked.items() if name != "runId"}
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
            rehearses=shown.rehearses,
            starts_from=shown.starts_from,
            sets_apart=sets_apart(job_action.action),
            choice=choice,
            mounts=cluster.mounts,
            uploads=cluster.uploads,
            upload_bytes=self.chooser.upload_bytes,
            reviewable=job_action.action not in _BRINGS_NOTHING_ABOUT,
            plan=plan,
            review=REVIEW,
            slots=await self.board.task_slots(cluster.key) if job_action.starts else None,
            reveal=shown.reveal,
            may_act=visit.may_act(cluster.key),
            last=ActionView.of(row.last),
            commands=release_samples(self.addresses.whole(request, ""), row.number)
            if job_action.releases
            else request_samples(cluster, self.addresses.whole(request, ""), sample, row.number),
        )


def _meanwhile_noted(shown: ShownAction, form: Form, text: Text) -> int:
    """Note that the job has changed since a form was opened, and take over what has changed.

    Return how many problems the form has then.
    """
    last = shown.found.row.last
    if form.values[SEEN] != last.id:
        form.refuse("", meanwhile(last, text))
        form.values[SEEN] = last.id
        now, whole = (shown_version(each.properties) for each in (shown.view, shown.whole))
        take_over(form, now, whole, text)
    return form.noted
