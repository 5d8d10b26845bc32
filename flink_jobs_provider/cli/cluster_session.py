"""A command's session with one cluster; errors become a line and an exit code."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console

from flink_jobs_provider.control_planes.clusters import Clusters
from flink_jobs_provider.control_planes.flink_rest import FlinkRest
from flink_jobs_provider.model.errors import JobError, PermanentError
from flink_jobs_provider.model.target import FlinkTarget

T = TypeVar("T")

_err = Console(stderr=True, highlight=False, soft_wrap=True)


def with_cluster(
    url: str,
    target_file: Path | None,
    work: Callable[[FlinkRest, FlinkTarget], Awaitable[T]],
) -> T:
    """Open a cluster, do the work, close it; on an error print it and exit with code 1."""

    async def session() -> T:
        target = _target(url, target_file)
        clusters = Clusters(_environment)
        try:
            return await work(clusters.of(target), target)
        finally:
            await clusters.close()

    coroutine: Coroutine[Any, Any, T] = session()
    try:
        return asyncio.run(coroutine)
    except JobError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted; what was asked for goes on, on the cluster", code=130)


def _environment(reference: str) -> str:
    kind, _, name = reference.partition(":")
    value = os.environ.get(name) if kind == "env" else None
    if not value:
        raise KeyError(name)
    return value


def _target(url: str, file: Path | None) -> FlinkTarget:
    given: Any = {"url": url}
    if file is not None:
        try:
            given = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise PermanentError(f"{file} cannot be read: {error}") from None
        if isinstance(given, dict) and given.get("kind") == "hdinsight":
            raise PermanentError(
                f"{file} is a target of HDInsight, and this command speaks to Flink itself",
                remedy="Give the address of the Flink cluster behind it",
            )
    try:
        return FlinkTarget.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise PermanentError(
            f"the target is wrong: {where}: {first['msg'].removeprefix('Value error, ')}"
        ) from None


def fail(message: str, code: int = 1) -> NoReturn:
    """Print an error and exit."""
    _err.print("[red]error:[/red] ", end="")
    _err.print(message, markup=False)
    raise typer.Exit(code)
