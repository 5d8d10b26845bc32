"""`flink-jobs gateway`: a job service in front of Flink clusters, and who may use it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flink_jobs_provider.cli.options import JsonOption
from flink_jobs_provider.cli.printing import fail, say, say_either, say_json, say_table

if TYPE_CHECKING:
    from flink_jobs_provider.gateway.configuration import GatewayConfiguration

app = typer.Typer(
    help="A job service in front of Flink clusters: the job APIs of HDInsight on AKS and of "
    "Data Lake Insight.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
token_app = typer.Typer(
    help="The tokens of callers.", no_args_is_help=True, pretty_exceptions_enable=False
)
app.add_typer(token_app, name="token")

#: Of the packages of the extra `gateway`, those that nothing else brings along.
_PACKAGES = (
    "alembic",
    "authlib",
    "jinja2",
    "jwt",
    "prometheus_client",
    "python_multipart",
    "sqlalchemy",
    "sse_starlette",
    "starlette",
    "structlog",
    "uvicorn",
)

ConfigOption = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="FLINK_JOBS_GATEWAY_CONFIG", help="The gateway's file."),
]
_DEFAULT_CONFIG = Path("gateway.yaml")


@app.callback()
def _installed() -> None:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        fail('a gateway needs further packages: pip install "flink-jobs-provider[gateway]"')


@app.command()
def serve(config: ConfigOption = _DEFAULT_CONFIG) -> None:
    """Serve until SIGTERM or Ctrl-C; what is in progress then is finished or handed over."""
    configuration = _read(config)
    from flink_jobs_provider.gateway.serve import serve as run

    with _setup_errors():
        run(configuration)


@app.command("check-config")
def check_config(config: ConfigOption = _DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check the configuration and the files that it names, without starting anything."""
    configuration = checked_configuration(config)
    listen = configuration.listen
    scheme = "https" if listen.tls else "http"
    address = f"{scheme}://{listen.host}:{listen.port}"
    names = [cluster.name for cluster in configuration.clusters]
    clusters = "1 cluster" if len(names) == 1 else f"{len(names)} clusters"
    document = {"configuration": str(config), "address": address, "clusters": names}
    say_either(document, f"{config} is valid: {clusters} at {address}.", as_json=as_json)


def checked_configuration(config: Path, now: str = "") -> GatewayConfiguration:
    """Return a configuration after a check of it and of the files that it names.

    An error is followed by `now`: how things stand.
    """
    _installed()
    from flink_jobs_provider.gateway.configuration import read_configuration
    from flink_jobs_provider.gateway.serve import check

    with _setup_errors(now):
        configuration = read_configuration(config)
        check(configuration)
    return configuration


@app.command("sign-in-link")
def sign_in_link(config: ConfigOption = _DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Print a link that signs in to the portal once, on this machine, within 5 minutes.

    It is for the holder of the token in FLINK_JOBS_GATEWAY_TOKEN.
    """
    configuration = _read(config)
    from flink_jobs_provider.gateway.portal.addresses import SIGN_IN_LINK

    listen = configuration.listen
    token = os.environ.get("FLINK_JOBS_GATEWAY_TOKEN", "").strip()
    if not token:
        fail("set FLINK_JOBS_GATEWAY_TOKEN to a token of the gateway: the link is for its holder")
    if configuration.portal is None:
        fail("the configuration has no portal: add `portal: {}`, and start the gateway again")
    if listen.tls or configuration.public_url or not (listen.loopback and listen.port):
        fail(
            "a sign-in link needs a gateway that listens on the loopback interface, on a fixed "
            "port, without TLS and without public_url. Sign in with a token, or with your issuer"
        )
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    answer = _asked(f"http://{host}:{listen.port}{SIGN_IN_LINK}", token)
    say_either(answer, str(answer["link"]), as_json=as_json)


def _asked(url: str, token: str) -> dict[str, Any]:
    """Return what a gateway on this machine answers to a request with a token."""
    import httpx

    try:
        with httpx.Client(trust_env=False, timeout=10) as client:
            answer = client.post(url, headers={"Authorization": f"Bearer {token}"})
            content = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        fail(f"no gateway of this configuration answers at {url} ({error}). Is it up?")
    if answer.status_code != httpx.codes.OK:
        fail(f"the gateway makes no link: {content.get('error', answer.status_code)}")
    found: dict[str, Any] = content
    return found


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    from flink_jobs_provider.gateway.configuration import configuration_schema

    say_json(configuration_schema())


@token_app.command()
def create(
    name: Annotated[str, typer.Argument(help="Its name, which the audit log shows.")],
    role: Annotated[str, typer.Option(help="read or operate.")],
    cluster: Annotated[
        list[str],
        typer.Option(help="Id or name of a cluster, or all of them: '*'; repeatable."),
    ],
    expires: Annotated[
        str | None, typer.Option(help='Its lifetime, such as "90d"; unlimited by default.')
    ] = None,
    config: ConfigOption = _DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Create a token and print it, once: only its hash is stored."""
    configuration = _read(config)
    from flink_jobs_provider.gateway.auth.tokens import create_token
    from flink_jobs_provider.gateway.principal import Role
    from flink_jobs_provider.model.duration import LONGEST_LIFETIME, seconds_at_most

    if role not in list(Role):
        fail(f"--role must be read or operate (got {role!r})")
    try:
        lifetime = None if expires is None else seconds_at_most(expires, LONGEST_LIFETIME)
    except ValueError as error:
        fail(f"--expires {error}")
    roles = {_cluster(configuration, wanted): Role(role) for wanted in cluster}
    with _setup_errors():
        token = create_token(_tokens_file(configuration), name, roles, lifetime)
    if as_json:
        say_json({"name": name, "role": role, "clusters": list(roles), "token": token})
        return
    if sys.stdout.isatty():
        say(f"Token {name} may {role}. It is shown this once:", error=True)
    else:
        say(f"Token {name} may {role}. It was written to standard output, this once.", error=True)
    print(token)


@token_app.command("list")
def list_tokens(config: ConfigOption = _DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the tokens: names, roles and times."""
    configuration = _read(config)
    from flink_jobs_provider.gateway.auth.tokens import read_tokens

    with _setup_errors():
        tokens = read_tokens(_tokens_file(configuration)).tokens
    if as_json:
        say_json([token.model_dump(mode="json", exclude={"hash"}) for token in tokens])
        return
    if not tokens:
        say("No tokens.")
        return
    now = datetime.now(UTC)
    rows = []
    for token in tokens:
        expires = _minute(token.expires) if token.expires else "never"
        rows.append(
            (
                token.name,
                _minute(token.created) if token.created else "-",
                f"{expires} (expired)" if token.expired(now) else expires,
                ", ".join(f"{role} on {_short(key)}" for key, role in token.roles.items()),
            )
        )
    say_table(("name", "created", "expires", "roles"), rows)


@token_app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The token's name.")],
    config: ConfigOption = _DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Revoke a token; a running gateway refuses it from now on."""
    configuration = _read(config)
    from flink_jobs_provider.gateway.auth.tokens import revoke_token

    with _setup_errors():
        revoke_token(_tokens_file(configuration), name)
    say_either({"name": name, "revoked": True}, f"Token {name} is revoked.", as_json=as_json)


@contextmanager
def _setup_errors(now: str = "") -> Iterator[None]:
    """Show an error of the set-up in one line, with how things stand `now`; exit with 1."""
    from flink_jobs_provider.model.errors import SetupError

    try:
        yield
    except SetupError as error:
        fail(f"{error} {now}".rstrip())


def _read(path: Path) -> GatewayConfiguration:
    from flink_jobs_provider.gateway.configuration import read_configuration

    with _setup_errors():
        return read_configuration(path)


def _tokens_file(configuration: GatewayConfiguration) -> Path:
    if configuration.access.tokens_file is None:
        fail("the configuration names no access.tokens_file")
    return Path(configuration.access.tokens_file)


def _cluster(configuration: GatewayConfiguration, wanted: str) -> str:
    """Return the id of the cluster that is meant, by its id or by its name, or `*`."""
    if wanted == "*":
        return wanted
    fits = [
        one.name for one in configuration.clusters if wanted.lower() in (one.key, _short(one.key))
    ]
    if len(fits) != 1:
        known = ", ".join(one.name for one in configuration.clusters)
        fail(f"--cluster must be one of the configuration's, or '*' (got {wanted!r}): {known}")
    return fits[0]


def _short(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def _minute(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
