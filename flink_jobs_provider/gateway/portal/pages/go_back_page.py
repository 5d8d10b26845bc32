"""The form by which a job goes back to an earlier version of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from flink_jobs_provider.gateway.apis.action_plans import MOST_VERSIONS, ActionPlan
from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.job_board import MOST_SAVEPOINTS
from flink_jobs_provider.gateway.job_history import JobVersion
from flink_jobs_provider.gateway.job_service import ActionRequest
from flink_jobs_provider.gateway.jobs.transitions import back_to_version
from flink_jobs_provider.gateway.portal.action_forms import (
    CONFIRM,
    Form,
    confirm_unclaimed,
    drops_unclaimed,
    refused_after,
)
from flink_jobs_provider.gateway.portal.addresses import JOB
from flink_jobs_provider.gateway.portal.forms import sent_form
from flink_jobs_provider.gateway.portal.job_view import JobView, job_view
from flink_jobs_provider.gateway.portal.kept_forms import KEPT, restored
from flink_jobs_provider.gateway.portal.meanwhile import in_progress, meanwhile
from flink_jobs_provider.gateway.portal.offered_actions import Offers, offers
from flink_jobs_provider.gateway.portal.pages.job_page import FoundJob, JobFinder
from flink_jobs_provider.gateway.portal.pages.new_job_page import REVIEW
from flink_jobs_provider.gateway.portal.pages.page_parts import FormPage
from flink_jobs_provider.gateway.portal.pages.shown_action import SEEN
from flink_jobs_provider.gateway.portal.terminal import rollback_samples
from flink_jobs_provider.gateway.portal.versions import VersionView, way_back
from flink_jobs_provider.gateway.portal.visit import Visit
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import Action

GO_BACK = f"{JOB}/versions/{{version}}"
_SAVEPOINT = "savepoint"


@dataclass(frozen=True)
class _ShownVersion:
    """An earlier version of a job, and the job."""

    found: FoundJob
    version: JobVersion
    latest: bool
    view: JobView
    offers: Offers

    @property
    def id(self) -> str:
        """What it goes by: the id of the action that started it."""
        return self.version.action.id


@dataclass(frozen=True)
class GoBackPage(FormPage):
    """Shows an earlier version of a job, and takes the form that starts it again.

    Attributes:
        finder: Finds the job.
    """

    finder: JobFinder

    async def show(self, request: Request) -> Response:
        """Return the form."""
        visit = self.visits.of(request)
        shown = await self._shown(request, visit)
        form = Form({_SAVEPOINT: "", CONFIRM: "", SEEN: shown.found.row.last.id})
        restored(self.kept, request, visit, form)
        return self._page(request, visit, shown, form, 200)

    async def send(self, request: Request) -> Response:
        """Ask for the version, or what that would do."""
        visit = self.visits.of(request)
        shown = await self._shown(request, visit)
        key = visit.session.form_key
        sent = await sent_form(request, self.addresses, key, self.body_bytes)
        form = Form({name: sent.get(name, "") for name in (_SAVEPOINT, CONFIRM, SEEN)})
        form.kept = sent.get(KEPT, "")
        row = shown.found.row
        if not visit.may_act(row.cluster):
            raise Refusal("AuthorizationFailed", visit.text("reason.role"))
        wanted = self._request(shown, form, visit)
        if form.problems:
            return self._page(request, visit, shown, form, 400)
        try:
            if REVIEW in sent:
                plan = await self.submission.plan(row.cluster, row, wanted, visit.name)
                return self._page(request, visit, shown, form, 200, plan)
            await self.submission.submit(request, visit, row.cluster, wanted, form.values[SEEN])
        except Refusal as refusal:
            if REVIEW not in sent:
                refused_after(form, refusal, visit.text)
            again = await self._shown(request, visit)
            last = again.found.row.last
            if refusal.code == "ActionInProgress" and last.finished_at is None:
                form.refuse("", in_progress(last, visit.text))
            else:
                form.refuse_all(refusal, visit.text)
            return self._page(request, visit, again, form, status_of(refusal))
        self.kept.sent(form.kept, request.url.path, visit.name)
        return RedirectResponse(self.addresses.job(row.number), 303)

    def _request(self, shown: _ShownVersion, form: Form, visit: Visit) -> ActionRequest:
        """Return what the form stands for, with all that is wrong in it noted."""
        row, text, savepoint = shown.found.row, visit.text, form.values[_SAVEPOINT]
        if savepoint and not any(one.path == savepoint for one in shown.view.savepoints):
            form.refuse(_SAVEPOINT, text("problem.savepoint"))
        if drops_unclaimed({}, row):
            confirm_unclaimed(form, row.job_name, text)
        if form.values[SEEN] != row.last.id:
            form.refuse("", meanwhile(row.last, text))
            form.values[SEEN] = row.last.id
        return back_to_version(row, shown.id, visit.name, savepoint=savepoint or None)

    async def _shown(self, request: Request, visit: Visit) -> _ShownVersion:
        found = await self.finder.find(request, visit)
        row, cluster = found.row, found.cluster
        versions = await self.board.versions(cluster.key, row.number, limit=MOST_VERSIONS)
        wanted: str = request.path_params["version"]
        version = next((each for each in versions if each.action.id == wanted), None)
        if version is None:
            raise Refusal("NotFound", visit.text("error.no_page"))
        savepoints = await self.board.savepoints(cluster.key, row.number, MOST_SAVEPOINTS)
        return _ShownVersion(
            found,
            version,
            version is versions[0],
            job_view(row, cluster, savepoints),
            offers(row, visit.text, may_act=visit.may_act(cluster.key)),
        )

    def _page(
        self,
        request: Request,
        visit: Visit,
        shown: _ShownVersion,
        form: Form,
        status: int,
        plan: ActionPlan | None = None,
    ) -> Response:
        row, cluster, text = shown.found.row, shown.found.cluster, visit.text
        action = way_back(row, shown.offers)
        body: dict[str, Any] = {"version": shown.id, "savepoint": form.values[_SAVEPOINT]}
        body = {name: value for name, value in body.items() if value}
        base = self.addresses.whole(request, "")
        return self.templates.page(
            "go_back",
            text,
            visit,
            status,
            here=self.addresses.of(request.url.path),
            job=shown.view,
            version=VersionView.of(shown.version, cluster, latest=shown.latest),
            form=form,
            plan=plan,
            review=REVIEW,
            refused="" if action else self._refused(shown, visit),
            does=action.action if action else Action.UPDATE,
            may_act=visit.may_act(cluster.key),
            commands=rollback_samples(base, row.job_name, row.number, body),
        )

    def _refused(self, shown: _ShownVersion, visit: Visit) -> str:
        """Return why the version cannot be started now."""
        reasons = [each.reason for each in shown.offers.each if each.job_action.starts]
        return next((each for each in reasons if each), visit.text("reason.role"))
