"""A gateway as a process: everything opened in order, and closed in the reverse one.

What cannot work is reported before the first request is taken: one line, and nothing has changed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog

from flink_jobs_provider.control_planes.connection import Clusters, environment
from flink_jobs_provider.gateway.auth.authenticator import Authenticator, RateLimit
from flink_jobs_provider.gateway.auth.signatures import Signatures
from flink_jobs_provider.gateway.auth.tokens import read_tokens
from flink_jobs_provider.gateway.configuration import GatewayConfiguration
from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.gateway.jobs import Jobs, guard
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.ops.http_protocol import ConnectionLimits
from flink_jobs_provider.gateway.ops.job_metrics import JobMetrics
from flink_jobs_provider.gateway.ops.log import (
    AuditEntry,
    AuditLog,
    RequestLog,
    configure_logging,
    hidden_in,
)
from flink_jobs_provider.gateway.ops.prometheus import Metrics
from flink_jobs_provider.gateway.ops.server import (
    Certificate,
    StopSignals,
    address_of,
    notify,
    open_socket,
    serve_http,
)
from flink_jobs_provider.gateway.portal.addresses import PORTAL
from flink_jobs_provider.gateway.portal.issuer_sign_in import IssuerAccess
from flink_jobs_provider.gateway.portal.portal import Portal
from flink_jobs_provider.gateway.store import DatabaseUnusable, RecordsError, Store
from flink_jobs_provider.gateway.web_app import make_app, make_conventions, refused_unread
from flink_jobs_provider.model.duration import seconds
from flink_jobs_provider.model.errors import JobError, SetupError

P = ParamSpec("P")
T = TypeVar("T")

_log = structlog.get_logger("gateway")


class CannotServe(SetupError):
    """The gateway cannot start; why and what to do, in one line."""


def serve(configuration: GatewayConfiguration) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        CannotServe: It could not start.
    """
    if sys.platform == "win32":
        raise CannotServe("a gateway needs Linux or macOS; on Windows, run it inside WSL")
    os.umask(0o077)  # what is written holds arguments of jobs
    _allow_open_files(configuration.limits.connections)
    # A PostgreSQL that swallows packets must not hold up the start, or a stop, for minutes.
    os.environ.setdefault("PGCONNECT_TIMEOUT", "10")
    configure_logging(configuration.log.level, configuration.log.format)
    asyncio.run(_serve(configuration))


def _allow_open_files(connections: int) -> None:
    """Raise this process's limit of open files to what its connections need, where it may.

    Twice as many connections are open at times, and half as many again belong to clusters, the
    database and jars.
    """
    import resource

    needed = 4 * connections
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY or allowed >= needed:
        return
    raised = needed if most == resource.RLIM_INFINITY else min(needed, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised, most))
    if raised < needed:
        _log.warning("the limit of open files is low", allowed=raised, needed=needed)


def check(configuration: GatewayConfiguration) -> None:
    """Check what the configuration names on this machine; nothing is started or changed.

    Raises:
        CannotServe: Something of it could not be used.
    """
    _checked(_files, configuration)


def _files(configuration: GatewayConfiguration) -> Certificate | None:
    """Open the files and secrets that the configuration names, as far as that changes nothing."""
    if configuration.access.tokens_file:
        read_tokens(Path(configuration.access.tokens_file))
    _resolved("database", configuration.database_url)
    _signatures(configuration)
    _portal_issuer(configuration)
    clusters = Clusters(environment)
    for cluster in configuration.clusters:
        try:
            clusters.of(cluster.flink)
        except JobError as error:
            raise CannotServe(f"{cluster.name}: {error}") from None
    Authenticator(configuration.access)
    tls = configuration.listen.tls
    return Certificate(tls) if tls else None


def _signatures(configuration: GatewayConfiguration) -> Signatures | None:
    """Return what checks signed requests; None where there is no key to sign with."""
    keys = configuration.access.signing_keys
    if not keys:
        return None
    return _resolved("access.signing_keys", lambda: Signatures(keys, environment))


def _resolved(setting: str, call: Callable[[], T]) -> T:
    """Call a function that resolves the references of a setting."""
    try:
        return call()
    except KeyError as error:
        raise CannotServe(
            f"{setting} refers to env:{error.args[0]}, and there is no such environment variable"
        ) from None


async def _serve(configuration: GatewayConfiguration) -> None:
    stop = StopSignals()
    listen = configuration.listen
    async with AsyncExitStack() as opened:
        opened.enter_context(stop.caught())
        certificate = _checked(_files, configuration)
        _checked(_make_directory, Path(configuration.data_directory))
        channel = _checked(open_socket, listen.host, listen.port)
        opened.callback(channel.close)
        audit = _checked(AuditLog, configuration.log.audit_file)
        opened.callback(audit.close)
        store = _checked(Store, _resolved("database", configuration.database_url))
        opened.callback(store.close)
        clusters = Clusters(environment, guard)
        opened.push_async_callback(clusters.close)
        authenticator = Authenticator(configuration.access)
        opened.push_async_callback(authenticator.close)
        signatures = _checked(_signatures, configuration)

        monitors = Monitors(configuration.clusters, clusters)
        jobs = Jobs(configuration, store, clusters, monitors=monitors)
        metrics = Metrics()
        _watch(jobs, metrics, audit)
        observed = configuration.monitoring
        if observed.job_metrics:
            keys = [cluster.key for cluster in configuration.clusters]
            metrics.add_jobs(JobMetrics(jobs, keys, monitors, observed.job_metrics_limit))
        await _start(jobs)
        opened.push_async_callback(_stop, jobs, stop, seconds(configuration.stop_timeout))
        limits = configuration.limits
        portal = _portal(configuration, jobs, monitors, authenticator, audit, stop)
        if portal:
            opened.push_async_callback(portal.close)
        app = make_app(
            jobs,
            configuration.clusters,
            authenticator,
            RateLimit(limits.requests_per_second, limits.burst).take,
            audit.write,
            metrics,
            limits,
            configuration.public_url,
            signatures=signatures,
            portal=portal,
            monitors=monitors,
            stopping=stop.asked,
        )
        if certificate:
            renewing = asyncio.create_task(certificate.keep_renewing())
            opened.callback(renewing.cancel)

        def ready() -> None:
            address = address_of(channel, tls=certificate is not None)
            _log.info("the gateway serves", address=address, database=store.name)
            if portal:
                _log.info("the portal is open", address=f"{address}{PORTAL}")
            notify("READY=1")

        tls = certificate.context if certificate else None
        conventions_of = make_conventions(authenticator, signatures, limits, portal)
        refused = partial(refused_unread, conventions_of)
        served = ConnectionLimits(limits.connections, limits.connections_per_address)
        await serve_http(RequestLog(app), channel, tls, stop, ready, refused, served)
        notify("STOPPING=1")
    _log.info("the gateway has stopped")


def _portal(
    configuration: GatewayConfiguration,
    jobs: Jobs,
    monitors: Monitors,
    authenticator: Authenticator,
    audit: AuditLog,
    stop: StopSignals,
) -> Portal | None:
    """Return the pages for people; None where the configuration has none."""
    if configuration.portal is None:
        return None
    return Portal(
        jobs,
        configuration.clusters,
        monitors,
        authenticator,
        audit.write,
        configuration.limits.body_bytes,
        configuration.public_url,
        seconds(configuration.portal.session_lifetime),
        stop.asked,
        _portal_issuer(configuration),
        upload_bytes=configuration.portal.upload_bytes,
    )


def _portal_issuer(configuration: GatewayConfiguration) -> IssuerAccess | None:
    """Return the issuer that people sign in to the portal with; None where there is none."""
    wanted = configuration.portal.sign_in if configuration.portal else None
    if wanted is None:
        return None
    ca_files = {issuer.issuer: issuer.ca_file for issuer in configuration.access.issuers}
    named = wanted.client_secret
    secret = _resolved("portal.sign_in.client_secret", lambda: environment(named) if named else "")
    return IssuerAccess(wanted, secret, ca_files[wanted.issuer])


def _checked(call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Call a function; its error about something unusable becomes a CannotServe."""
    try:
        return call(*args, **options)
    except SetupError as error:
        raise CannotServe(str(error)) from None
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise CannotServe(f"{what}. It must be a place that the gateway's user may use") from None


def _make_directory(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if not os.access(path, os.W_OK | os.X_OK):
        raise CannotServe(f"data_directory {path} cannot be written by the gateway's user")


async def _start(jobs: Jobs) -> None:
    try:
        await jobs.start()
    except DatabaseUnusable as error:
        raise CannotServe(str(error)) from None
    except RecordsError as error:
        # The first line of its cause: the others hold the statement, and where to read about it.
        reason = hidden_in(str(error.__cause__ or error).splitlines()[0])
        raise CannotServe(f"the database cannot be used: {reason}") from None


def _watch(jobs: Jobs, metrics: Metrics, audit: AuditLog) -> None:
    """Connect metrics and audit log to what goes on."""

    def ended(row: ActionRow) -> None:
        metrics.action(row)
        audit.write(
            AuditEntry(
                who=row.caller,
                what=row.action.value,
                cluster=row.cluster,
                job=row.job_name,
                action_id=row.id,
                result=row.result.value,
            )
        )

    def refresh() -> None:
        metrics.in_progress(jobs.in_progress)
        for cluster, answer in jobs.answers().items():
            metrics.cluster_reachable(cluster, reachable=answer.answers)

    jobs.on_finished(ended)
    metrics.before_render(refresh)


async def _stop(jobs: Jobs, stop: StopSignals, timeout: float) -> None:
    """Wait for actions, but not when a second signal insists; what is left is handed over."""
    if jobs.in_progress:
        _log.info("waiting for actions to end", actions=jobs.in_progress, seconds=timeout)
    stopping = asyncio.create_task(jobs.stop(timeout))
    insisted = asyncio.create_task(stop.insisted.wait())
    await asyncio.wait({stopping, insisted}, return_when=asyncio.FIRST_COMPLETED)
    insisted.cancel()
    if not stopping.done():
        stopping.cancel()
        await asyncio.wait({stopping})
        await jobs.stop(0)
        return
    await stopping
