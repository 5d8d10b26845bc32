"""A native plugin of the package `files`: its resources are files, as the dynamic demo's are.

Calls are noted, and faults shown, as by `demo_provider`; in addition there are the faults

    {"init_failed": ["…"]}  fail after it was done, and leave the resource with these reasons
    {"log": ["…"]}          log lines of the resource; `~` begins an ephemeral one
    {"cancellable": true}   fail when the engine cancels, else wait until a file `release` is there

The environment's DEMO_PLUGIN has words of what it is like: `takes-no-secrets`, `has-no-handshake`,
`dies`, `talks`, `hangs-up`.
"""

# ruff: noqa: N802 - names are those of the protocol

import asyncio
import json
import os
import signal
import sys
from typing import Any

import grpc.aio
from demo_provider import DIRECTORY, faults, note, show
from google.protobuf import any_pb2, empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

LIKE = os.environ.get("DEMO_PLUGIN", "").split()
SIGNATURE = "4dabf18193072939515e22adb298388d"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_Diff = provider_pb2.PropertyDiff


def read(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return properties as they came, marks and all."""
    properties: dict[str, Any] = json.loads(
        json_format.MessageToJson(struct), parse_float=lambda text: int(float(text))
    )
    return properties


def written(properties: dict[str, Any]) -> struct_pb2.Struct:
    """Return properties as a message."""
    struct = struct_pb2.Struct()
    struct.update(properties)
    return struct


def bare(value: Any) -> Any:
    """Return a value without its marks, as it is kept in the file."""
    if isinstance(value, dict):
        if SIGNATURE in value and "value" in value:
            return bare(value["value"])
        return {key: bare(item) for key, item in value.items()}
    return [bare(item) for item in value] if isinstance(value, list) else value


class Files(provider_pb2_grpc.ResourceProviderServicer):
    """Keep each resource in a file `<name>.json`."""

    def __init__(self, engine: str) -> None:
        self._log: Any = engine_pb2_grpc.EngineStub(grpc.aio.insecure_channel(engine))
        self._cancelled = asyncio.Event()

    async def Handshake(self, request: Any, context: Any) -> Any:
        """Take secrets and references marked, unless told otherwise."""
        if "has-no-handshake" in LIKE:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "no")
        note("handshake", None, directory=request.program_directory)
        takes = "takes-no-secrets" not in LIKE
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=takes, accept_resources=takes)

    async def CheckConfig(self, request: Any, _context: Any) -> Any:
        """Refuse a `region` that is bad."""
        news = read(request.news)
        note("check_config", request.name, olds=read(request.olds), news=news)
        bad = [provider_pb2.CheckFailure(property="region", reason="there is none of that name")]
        return provider_pb2.CheckResponse(
            inputs=request.news, failures=bad if news.get("region") == "bad" else []
        )

    async def DiffConfig(self, request: Any, _context: Any) -> Any:
        """Let another `account` replace what it manages."""
        olds, news = read(request.old_inputs), read(request.news)
        note("diff_config", request.name, olds=olds, news=news)
        replaces = [key for key in ("account",) if olds.get(key) != news.get(key)]
        return provider_pb2.DiffResponse(changes=2 if replaces else 1, replaces=replaces)

    async def Configure(self, request: Any, _context: Any) -> Any:
        """Note how it is configured, and with what environment it runs."""
        note(
            "configure",
            request.name,
            args=read(request.args),
            variables=dict(request.variables),
            id=request.id,
            process=os.getpid(),
            environment={key: os.environ.get(key) for key in ("PULUMI_CONFIG", "PULUMI_PROJECT")},
        )
        return provider_pb2.ConfigureResponse(
            acceptSecrets="takes-no-secrets" not in LIKE,
            acceptResources="takes-no-secrets" not in LIKE,
            supportsPreview=True,
        )

    async def Check(self, request: Any, context: Any) -> Any:
        """Refuse a negative size, and add an input of its own."""
        news = read(request.news)
        note("check", request.name, olds=read(request.olds), news=news)
        await self._shown(faults("check", request.name), "before", request, context)
        failures = []
        if news.get("size") == -1:
            failures = [provider_pb2.CheckFailure(property="size", reason="must not be negative")]
        request.news.fields["checked"].bool_value = True
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    async def Diff(self, request: Any, context: Any) -> Any:
        """Compare inputs; another kind replaces, any other change updates."""
        olds, news, outputs = read(request.old_inputs), read(request.news), read(request.olds)
        ignored = list(request.ignoreChanges)
        note("diff", request.name, olds=olds, news=news, outputs=outputs, ignored=ignored)
        await self._shown(faults("diff", request.name), "before", request, context)
        detail = {}
        for key in sorted({*olds, *news}):
            if key.startswith("__") or bare(olds.get(key)) == bare(news.get(key)):
                continue
            kind = _Diff.ADD if key not in olds else _Diff.UPDATE
            kind = _Diff.DELETE if key not in news else kind
            detail[key] = _Diff(kind=kind + (key == "kind"), inputDiff=True)
        return provider_pb2.DiffResponse(
            changes=2 if detail else 1,
            replaces=[key for key in detail if key == "kind"],
            diffs=[*detail],
            detailedDiff=detail,
            hasDetailedDiff=True,
            deleteBeforeReplace=news.get("delete_first") is True,
        )

    async def Create(self, request: Any, context: Any) -> Any:
        """Write the file; count how often that was done."""
        note(
            *("create", request.name),
            props=read(request.properties),
            preview=request.preview,
            timeout=request.timeout,
        )
        request.properties.fields["path"].string_value = f"{request.name}.json"
        if request.preview:
            return provider_pb2.CreateResponse(properties=request.properties)
        fault = faults("create", request.name)
        await self._shown(fault, "before", request, context)
        path = DIRECTORY / f"{request.name}.json"
        made = json.loads(path.read_text())["made"] + 1 if path.exists() else 1
        request.properties.fields["made"].number_value = made
        path.write_text(json.dumps(bare(read(request.properties))))
        await self._shown(fault, "after", request, context, request.properties)
        return provider_pb2.CreateResponse(id=f"id-{request.name}", properties=request.properties)

    async def Update(self, request: Any, context: Any) -> Any:
        """Write the file anew."""
        note(
            *("update", request.name),
            news=read(request.news),
            preview=request.preview,
            timeout=request.timeout,
            ignored=list(request.ignoreChanges),
        )
        request.news.fields["path"].string_value = f"{request.name}.json"
        request.news.fields["made"].CopyFrom(request.olds.fields["made"])
        if not request.preview:
            fault = faults("update", request.name)
            await self._shown(fault, "before", request, context)
            path = DIRECTORY / f"{request.name}.json"
            path.write_text(json.dumps(bare(read(request.news))))
            await self._shown(fault, "after", request, context, request.news)
        return provider_pb2.UpdateResponse(properties=request.news)

    async def Read(self, request: Any, context: Any) -> Any:
        """Read the file, with the inputs it was made of."""
        note("read", request.name, id=request.id, inputs=read(request.inputs))
        path = DIRECTORY / f"{request.id.removeprefix('id-')}.json"
        if not path.exists():
            return provider_pb2.ReadResponse()
        found = json.loads(path.read_text())
        kept = {key: value for key, value in found.items() if key not in ("made", "path")}
        fault = faults("read", request.name)
        await self._shown(fault, "after", request, context, written(found), written(kept))
        return provider_pb2.ReadResponse(
            id=request.id, properties=written(found), inputs=written(kept)
        )

    async def Delete(self, request: Any, context: Any) -> Any:
        """Remove the file."""
        note("delete", request.name, id=request.id, timeout=request.timeout)
        fault = faults("delete", request.name)
        await self._shown(fault, "before", request, context)
        (DIRECTORY / f"{request.id.removeprefix('id-')}.json").unlink(missing_ok=True)
        await self._shown(fault, "after", request, context)
        return empty_pb2.Empty()

    async def Invoke(self, request: Any, context: Any) -> Any:
        """Answer what a file holds; refuse a name without one, and fail where there is no file."""
        args = read(request.args)
        note("invoke", None, token=request.tok, args=args, preview=request.preview)
        if not args.get("of"):
            failure = provider_pb2.CheckFailure(property="of", reason="must not be empty")
            return provider_pb2.InvokeResponse(failures=[failure])
        path = DIRECTORY / f"{args['of']}.json"
        if not path.exists():
            await context.abort(grpc.StatusCode.UNKNOWN, f"there is no file {args['of']}")
        answer = written(json.loads(path.read_text()))
        return provider_pb2.InvokeResponse(**{"return": answer})

    async def Cancel(self, _request: Any, _context: Any) -> Any:
        """Let what can be cancelled fail."""
        note("cancel", None)
        self._cancelled.set()
        return empty_pb2.Empty()

    async def _shown(
        self, fault: dict[str, Any], when: str, request: Any, context: Any, *left: Any
    ) -> None:
        if when == "before":
            for line in fault.get("log", ()):
                await self._log.Log(
                    engine_pb2.LogRequest(
                        message=line.removeprefix("~"),
                        urn=request.urn,
                        severity=engine_pb2.INFO,
                        ephemeral=line.startswith("~"),
                    )
                )
        if when == "before" and fault.get("cancellable"):
            (DIRECTORY / "held").touch()
            await self._cancelled.wait()
            await context.abort(grpc.StatusCode.CANCELLED, "cancelled before it was done")
        if when == "after" and (reasons := fault.get("init_failed")):
            await _leave(request, context, reasons, *left)
        try:
            await asyncio.to_thread(show, fault, when)
        except ValueError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))


async def _leave(
    request: Any, context: Any, reasons: list[str], outputs: Any, inputs: Any = None
) -> None:
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=f"id-{request.name}", properties=outputs, reasons=reasons, inputs=inputs
        )
    )
    status = status_pb2.Status(code=2, message=reasons[0], details=[detail])
    await context.abort(
        grpc.StatusCode.UNKNOWN,
        reasons[0],
        (("grpc-status-details-bin", status.SerializeToString()),),
    )


async def serve() -> None:
    """Serve until the engine sends SIGINT."""
    server = grpc.aio.server()
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Files(sys.argv[1]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, ended.set)
    print(port, flush=True)
    await ended.wait()
    note("interrupted", None)
    await server.stop(None)


def main() -> None:
    """Serve, or fail to."""
    if "dies" in LIKE:
        sys.exit("there is no library of that name")
    if "talks" in LIKE:
        print("listening on 4711", flush=True)
        sys.stdin.read()
    if "hangs-up" in LIKE:
        print(9, flush=True)  # where nothing serves
        sys.stdin.read()
    asyncio.run(serve())
