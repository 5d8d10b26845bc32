"""The form of a new job."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from flink_jobs_provider.gateway.apis.action_plans import ActionPlan
from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.http.property_problems import RefusedProperties
from flink_jobs_provider.gateway.job_service import JobsOfCluster
from flink_jobs_provider.gateway.portal.action_forms import (
    ADOPT,
    NO_WAY_BACK,
    VERSION_FIELDS,
    Form,
    Sent,
    confirm_unclaimed,
    drops_unclaimed,
    empty_new_job,
    refused_after,
)
from flink_jobs_provider.gateway.portal.addresses import NEW_JOB, PORTAL
from flink_jobs_provider.gateway.portal.jar_choice import CLOSED, JarChoice
from flink_jobs_provider.gateway.portal.job_view import short_name
from flink_jobs_provider.gateway.portal.kept_forms import KEPT, restored
from flink_jobs_provider.gateway.portal.pages.page_parts import FormPage
from flink_jobs_provider.gateway.portal.submission import Asked
from flink_jobs_provider.gateway.portal.terminal import Sample, adoption_samples, request_samples
from flink_jobs_provider.gateway.portal.visit import Visit
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.action import Action

#: Name of the button that asks what a form would do.
REVIEW = "review"
_FIELDS = ("job_name", *VERSION_FIELDS, "savepoint")
_OF_ADOPTION = ("job_name", *VERSION_FIELDS)
_REQUIRED = ("job_name", "jar", "entry_class", "parallelism")
_JOB_ID = re.compile(r"[0-9a-f]{32}")
#: What the name that a program gives itself may hold, and a job's name may not.
_UNNAMED = re.compile(r"[^a-z0-9_-]+")
#: Clusters of a choice whose free slots are asked for.
_MOST_ASKED = 12


class NewJobPage(FormPage):
    """Shows the form of a new job, also of one that runs and is adopted; takes what it sends."""

    async def show(self, request: Request) -> Response:
        """Return the form."""
        visit = self.visits.of(request)
        values = empty_new_job()
        operable = _operable(visit)
        if operable:
            values["cluster"] = operable[0].key
        query = request.query_params
        if (adopt := query.get(ADOPT)) and _JOB_ID.fullmatch(adopt):
            if not any(one.key == query.get("cluster") for one in operable):
                raise Refusal("AuthorizationFailed", visit.text("reason.role"))
            values |= {ADOPT: adopt, "cluster": query["cluster"]}
            values |= await self._as_it_runs(query["cluster"], adopt)
        form = Form(values)
        restored(self.kept, request, visit, form)
        return await self._page(request, visit, form, 200)

    async def send(self, request: Request) -> Response:
        """Ask for a new job, or answer another button of the form."""
        visit = self.visits.of(request)
        may_upload = any(cluster.uploads for cluster in _operable(visit))
        sent, upload = await self.chooser.sent(
            request, visit, self.body_bytes, may_upload=may_upload
        )
        form = Form({name: sent.get(name, "") for name in empty_new_job()})
        form.kept = sent.get(KEPT, "")
        cluster = next((one for one in _operable(visit) if one.key == form.values["cluster"]), None)
        if cluster is None:
            raise Refusal("AuthorizationFailed", visit.text("reason.role"))
        if upload:
            uploaded = await self.chooser.uploaded(cluster, upload, form, visit)
            return await self._page(request, visit, form, 200, uploaded)
        if (choice := await self.chooser.answer(cluster, sent, form, visit.text)) is not None:
            return await self._page(request, visit, form, 200, choice)
        properties = await self._request(cluster, form, visit)
        if form.problems:
            return await self._page(request, visit, form, 400)
        try:
            asked: Asked = properties
            if form.values[ADOPT]:
                asked = await self.submission.adoption(
                    cluster.key, properties, form.values, visit.name
                )
            if REVIEW in sent:
                plan = await self.submission.plan(cluster.key, None, asked, visit.name)
                return await self._page(request, visit, form, 200, plan=plan, asked=properties)
            action = await self.submission.submit(request, visit, cluster.key, asked)
        except Refusal as refusal:
            if REVIEW not in sent:
                refused_after(form, refusal, visit.text)
            form.refuse_all(refusal, visit.text)
            return await self._page(request, visit, form, status_of(refusal))
        self.kept.sent(form.kept, request.url.path, visit.name)
        rows = await self.board.jobs(JobsOfCluster(cluster.key, job_name=action.job_name))
        to = self.addresses.job(rows[0].number) if rows else self.addresses.of(PORTAL)
        return RedirectResponse(to, 303)

    async def _as_it_runs(self, cluster: str, job_id: str) -> dict[str, str]:
        """Return what is known of a running job, for the fields of its adoption."""
        job, parallelism = await self.board.running_job(cluster, job_id)
        name = _UNNAMED.sub("-", job.name.lower()).strip("-_")[:40] if job else ""
        return {"job_name": name, "parallelism": str(parallelism or "")}

    async def _request(
        self, cluster: ClusterConfiguration, form: Form, visit: Visit
    ) -> dict[str, Any]:
        """Return what a form stands for, with all that is wrong in it noted."""
        for name in _REQUIRED:
            if not form.values[name].strip():
                form.refuse(name, visit.text("problem.required"))
        new = Sent(Action.NEW, form.values["job_name"].strip())
        fields = _OF_ADOPTION if form.values[ADOPT] else _FIELDS
        properties = new.request(form, fields, visit.text)
        if properties.get("savePointName") and drops_unclaimed(properties):
            confirm_unclaimed(form, new.job_name, visit.text)
        try:
            await self.submission.check(cluster.key, properties, visit.name)
        except RefusedProperties as refusal:
            form.refuse_all(refusal, visit.text)
        return properties

    async def _page(
        self,
        request: Request,
        visit: Visit,
        form: Form,
        status: int,
        choice: JarChoice = CLOSED,
        plan: ActionPlan | None = None,
        asked: Mapping[str, Any] | None = None,
    ) -> Response:
        clusters = _operable(visit)
        cluster = next((one for one in clusters if one.key == form.values["cluster"]), None)
        example = {
            "jobType": "FlinkJob",
            "jobName": "orders",
            "action": "NEW",
            "jobJarDirectory": next(iter(cluster.mounts), "") if cluster else "",
            "jarName": "orders.jar",
            "entryClass": "com.example.Orders",
            "args": "--topic orders",
            "flinkConfiguration": {"parallelism": form.values["parallelism"]},
        }
        base = self.addresses.whole(request, "")
        some = clusters[:_MOST_ASKED]
        slots = await asyncio.gather(*(self.board.task_slots(one.key) for one in some))
        return self.templates.page(
            "new_job",
            visit.text,
            visit,
            status,
            here=self.addresses.of(NEW_JOB),
            form=form,
            fields=_OF_ADOPTION if form.values[ADOPT] else _FIELDS,
            choice=choice,
            plan=plan,
            review=REVIEW,
            slots={one.key: free for one, free in zip(some, slots, strict=True) if free},
            mounts=cluster.mounts if cluster else {},
            uploads=cluster.uploads if cluster else [],
            upload_bytes=self.chooser.upload_bytes,
            clusters=[(one.key, short_name(one), one.name) for one in clusters],
            directories={short_name(one): one.savepoint_directory or "" for one in clusters},
            commands=self._commands(cluster, base, form, asked or example) if cluster else [],
        )

    def _commands(
        self, cluster: ClusterConfiguration, base: str, form: Form, asked: Mapping[str, Any]
    ) -> list[Sample]:
        if not form.values[ADOPT]:
            return request_samples(cluster, base, asked)
        allowed = bool(form.values[NO_WAY_BACK])
        return adoption_samples(cluster, base, form.values[ADOPT], asked, allowed=allowed)


def _operable(visit: Visit) -> list[ClusterConfiguration]:
    return [one for one in visit.readable if one.key in visit.operable]
