"""The portal on a Flink in memory, and browsers that look at it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from starlette.applications import Starlette

from flink_jobs_provider.gateway.auth.authenticator import Authenticator, RateLimit
from flink_jobs_provider.gateway.auth.tokens import create_token
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.portal.issuer_sign_in import IssuerAccess
from flink_jobs_provider.gateway.portal.observed import Freshness
from flink_jobs_provider.gateway.portal.portal import Portal
from flink_jobs_provider.gateway.principal import EVERY_CLUSTER, Role
from flink_jobs_provider.gateway.web_app import make_app
from tests.contract.gateway.calling import Audit, Metrics
from tests.portal_pages import Form, Page
from tests.unit.gateway.jobs.gateway import Gateway
from tests.unit.gateway.portal.seen_flink import SeenFlink

HOST = "http://gateway:8090"
SIGN_IN = "/portal/sign-in"
#: Each page waits for an observation of its own.
ALWAYS_FRESH = Freshness(job=0, cluster=0, listed=0, usable=0, wait=30, patience=30)
#: Where callers say that the jars of the tests are.
JARS = "abfs://jobs@account"
#: The largest jar that the tests' portals take.
UPLOAD_BYTES = 1 << 20


@dataclass
class Browser:
    """A browser without scripts.

    Attributes:
        client: What sends its requests, with its cookies.
        origin: What it calls the origin of the pages that it sends forms of.
    """

    client: httpx.AsyncClient
    origin: str = HOST

    async def get(self, address: str, status: int = 200, **headers: str) -> Page:
        """Return a page, led on where it is."""
        answer = await self.client.get(address, headers=headers, follow_redirects=True)
        assert answer.status_code == status, answer.text
        return Page(answer.text)

    async def send(self, form: Form, **values: str) -> httpx.Response:
        """Send a form, and return the answer itself."""
        return await self.client.post(
            form.action, data=form.filled(**values), headers={"Origin": self.origin}
        )

    async def sent(self, form: Form, **values: str) -> Page:
        """Send a form that is accepted, and return the page that follows."""
        answer = await self.send(form, **values)
        assert answer.status_code == 303, answer.text
        return await self.get(answer.headers["location"])

    async def refused(self, form: Form, status: int, **values: str) -> Page:
        """Send a form that is not accepted, and return the page that says why."""
        answer = await self.send(form, **values)
        assert answer.status_code == status, answer.text
        return Page(answer.text)

    async def sign_in(self, token: str, wanted: str = "/portal/") -> httpx.Response:
        """Sign in; return the answer."""
        page = await self.get(f"{SIGN_IN}?next={wanted}")
        return await self.send(page.form(SIGN_IN), token=token)

    def bring(self, name: str, value: str) -> None:
        """Have a cookie that another page, or somebody else, has put there."""
        self.client.cookies.set(name, value, domain="gateway.local", path="/")

    def cookie(self, name: str) -> str:
        """Return the value of the one cookie whose name contains a word."""
        (found,) = [each.value for each in self.client.cookies.jar if name in each.name]
        return found or ""


@dataclass
class Opened:
    """A portal, the gateway behind it, and tokens for it.

    Attributes:
        gateway: The gateway, over a Flink in memory.
        seen: What pages observe of it.
        app: The application.
        portal: The portal.
        audit: What was recorded.
        stack: Closes browsers.
    """

    gateway: Gateway
    seen: SeenFlink
    app: Starlette
    portal: Portal
    audit: Audit
    stack: AsyncExitStack
    host: str = HOST

    @property
    def tokens_file(self) -> Path:
        """Where the tokens are."""
        return self.gateway.directory / "tokens.yaml"

    def token(
        self, name: str = "ada", role: Role = Role.OPERATE, cluster: str = EVERY_CLUSTER
    ) -> str:
        """Make a token."""
        return create_token(self.tokens_file, name, {cluster: role})

    def edit_tokens(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the entries of the tokens file, by their names."""
        content = yaml.safe_load(self.tokens_file.read_text())
        by_name = {entry["name"]: entry for entry in content["tokens"]}
        change(by_name)
        self.tokens_file.write_text(yaml.safe_dump({"tokens": list(by_name.values())}))

    async def browser(self, **headers: str) -> Browser:
        """Return a browser that nobody has signed in with."""
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app, client=("10.0.0.7", 4000)),
            base_url=self.host,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            trust_env=False,
        )
        return Browser(await self.stack.enter_async_context(client), self.host)

    async def signed_in(
        self, name: str = "ada", role: Role = Role.OPERATE, **headers: str
    ) -> Browser:
        """Return a browser of somebody who is signed in."""
        browser = await self.browser(**headers)
        answer = await browser.sign_in(self.token(name, role))
        assert answer.status_code == 303, answer.text
        return browser

    async def settled(self) -> None:
        """Wait until no action is in progress."""
        for row in await self.gateway.rows():
            await self.gateway.ended(row.last.id)


@asynccontextmanager
async def opened_portal(
    directory: Path,
    *,
    host: str = HOST,
    public_url: str | None = None,
    lifetime: float = 3600,
    cluster: Mapping[str, Any] | None = None,
    issuer: IssuerAccess | None = None,
    **config: Any,
) -> AsyncIterator[Opened]:
    """Open the portal of a gateway whose callers find the tests' jar below `JARS`."""
    storage = {"mounts": {JARS: f"file://{directory / 'storage'}"}, **(cluster or {})}
    gateway = Gateway(directory, cluster=storage, **config)
    audit = Audit()
    async with gateway.running(), AsyncExitStack() as stack:
        configuration = gateway.configuration
        seen = SeenFlink(gateway.flink)
        monitors = Monitors(configuration.clusters, seen, patience=60)
        network = issuer.transport if issuer else None
        authenticator = Authenticator(configuration.access, network)
        stack.push_async_callback(authenticator.close)
        portal = Portal(
            gateway.jobs,
            configuration.clusters,
            monitors,
            authenticator,
            audit.write,
            configuration.limits.body_bytes,
            public_url,
            lifetime,
            issuer=issuer,
            every=0.01,
            freshness=ALWAYS_FRESH,
            upload_bytes=UPLOAD_BYTES,
        )
        stack.push_async_callback(portal.close)
        limits = configuration.limits
        app = make_app(
            gateway.jobs,
            configuration.clusters,
            authenticator,
            RateLimit(limits.requests_per_second, limits.burst).take,
            audit.write,
            Metrics(),
            limits,
            public_url,
            portal=portal,
            monitors=monitors,
        )
        yield Opened(gateway, seen, app, portal, audit, stack, host)


#: Lets a test use a portal.
Look = Callable[[Callable[[Opened], Awaitable[None]]], None]
