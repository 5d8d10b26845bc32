"""An engine of a few lines for the plugin: its log, and the calls in the order of a real one."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from flink_jobs_provider.engine.child_process import CHANNEL_OPTIONS
from flink_jobs_provider.engine.protocols import (
    engine_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)
from flink_jobs_provider.engine.values import from_struct, plain, to_struct

PLUGIN = Path(sys.executable).with_name("pulumi-resource-flink-jobs")
#: The dynamic provider, as the embedded engine starts it.
DYNAMIC = (sys.executable, "-u", "-m", "flink_jobs_provider.provider.process", "pulumi.dynamic")
URN = "urn:pulumi:prod::shop::flink-jobs:index:Job::"


class PluginError(Exception):
    """An error of a call, with the resource that it leaves, if any."""

    def __init__(self, error: grpc.RpcError) -> None:
        answer: Any = error
        super().__init__(answer.details())
        self.failed: Any = None
        for key, value in answer.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                failed = provider_pb2.ErrorResourceInitFailed()
                for detail in status_pb2.Status.FromString(value).details:
                    if detail.Unpack(failed):
                        self.failed = failed


class _Log(engine_pb2_grpc.EngineServicer):
    def __init__(self, requests: list[Any]) -> None:
        self._requests = requests

    def Log(self, request: Any, _context: object) -> Empty:  # noqa: N802 - of the protocol
        """Take a line."""
        self._requests.append(request)
        return Empty()


class PluginEngine:
    """An engine with one process of the plugin, and the state of its resources by their names."""

    def __init__(
        self,
        directory: Path,
        state: dict[str, tuple[str, Any, Any]],
        command: Sequence[str | Path] = (PLUGIN,),
    ) -> None:
        self.log: list[Any] = []
        self._is_plugin = command == (PLUGIN,)
        #: The id, inputs and outputs of each resource.
        self.state = state
        if not self._is_plugin:  # an engine gives it no secrets, but what they hold
            for name, (id_, *recorded) in state.items():
                inputs, outputs = [
                    to_struct({key: plain(value) for key, value in from_struct(each).items()})
                    for each in recorded
                ]
                state[name] = (id_, inputs, outputs)
        self._server = grpc.server(ThreadPoolExecutor(4), options=CHANNEL_OPTIONS)
        engine_pb2_grpc.add_EngineServicer_to_server(_Log(self.log), self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        self.process = subprocess.Popen(
            [*command, self.address], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self.process.stdout
        assert self.process.stderr
        port = int(self.process.stdout.readline())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._calls = ThreadPoolExecutor(32)
        self.errors: list[str] = []
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,))
        self._reader.start()

    def _read(self, stream: Any) -> None:
        self.errors += [line.decode() for line in stream]

    def call(self, method: str, request: Any = None) -> Any:
        """Call the plugin.

        Raises:
            PluginError: It answers an error.
        """
        try:
            return getattr(self._stub, method)(Empty() if request is None else request)
        except grpc.RpcError as error:
            raise PluginError(error) from None

    def begin(self, work: Any, *args: Any, **options: Any) -> Future[Any]:
        """Do something while the test goes on."""
        return self._calls.submit(work, *args, **options)

    def configure(self, **configuration: Any) -> Any:
        """Begin, as an engine does."""
        if self._is_plugin:
            request = provider_pb2.ProviderHandshakeRequest(engine_address=self.address)
            self.call("Handshake", request)
        return self.call(
            "Configure",
            provider_pb2.ConfigureRequest(args=to_struct(configuration), acceptSecrets=True),
        )

    def lines(self, *, ephemeral: bool = False) -> list[str]:
        """Return the lines of the log."""
        return [each.message for each in self.log if each.ephemeral is ephemeral]

    def check(self, name: str, inputs: Mapping[str, Any]) -> Any:
        """Return the answer to inputs of a resource."""
        _, olds, _ = self.state.get(name, ("", None, None))
        return self.call(
            "Check",
            provider_pb2.CheckRequest(urn=URN + name, olds=olds, news=to_struct(inputs)),
        )

    def checked(self, name: str, inputs: Mapping[str, Any]) -> Any:
        """Return inputs as they are recorded."""
        answer = self.check(name, inputs)
        assert not answer.failures, answer.failures
        return answer.inputs

    def diff(self, name: str, news: Any) -> Any:
        """Return what checked inputs mean to a resource."""
        id_, old_inputs, olds = self.state[name]
        return self.call(
            "Diff",
            provider_pb2.DiffRequest(
                urn=URN + name, id=id_, olds=olds, old_inputs=old_inputs, news=news
            ),
        )

    def up(
        self, name: str, inputs: Mapping[str, Any], *, preview: bool = False, timeout: float = 0
    ) -> dict[str, Any]:
        """Check, diff, and create or update a resource; return its outputs."""
        news = self.checked(name, inputs)
        of_call: dict[str, Any] = {"urn": URN + name, "preview": preview, "timeout": timeout}
        if name not in self.state:
            request: Any = provider_pb2.CreateRequest(properties=news, **of_call)
            return self._done("Create", request, news)
        id_, old_inputs, olds = self.state[name]
        if self.diff(name, news).changes == provider_pb2.DiffResponse.DIFF_NONE:
            self.state[name] = (id_, news, olds)
            return from_struct(olds)
        request = provider_pb2.UpdateRequest(
            id=id_, olds=olds, old_inputs=old_inputs, news=news, **of_call
        )
        return self._done("Update", request, news)

    def _done(self, method: str, request: Any, news: Any) -> dict[str, Any]:
        name = request.urn.removeprefix(URN)
        try:
            answer = self.call(method, request)
        except PluginError as error:
            if error.failed is not None:
                self.state[name] = (error.failed.id, error.failed.inputs, error.failed.properties)
            raise
        if not request.preview:
            id_ = request.id if method == "Update" else answer.id
            self.state[name] = (id_, news, answer.properties)
        return from_struct(answer.properties)

    def refresh(self, name: str) -> dict[str, Any]:
        """Read a resource; return its outputs."""
        id_, inputs, outputs = self.state[name]
        answer = self.call(
            "Read",
            provider_pb2.ReadRequest(urn=URN + name, id=id_, inputs=inputs, properties=outputs),
        )
        self.state[name] = (answer.id, answer.inputs, answer.properties)
        return from_struct(answer.properties)

    def delete(self, name: str, *, timeout: float = 0) -> None:
        """Delete a resource."""
        id_, inputs, outputs = self.state[name]
        request = provider_pb2.DeleteRequest(
            urn=URN + name, id=id_, properties=outputs, old_inputs=inputs, timeout=timeout
        )
        self.call("Delete", request)
        del self.state[name]

    def vanish(self) -> None:
        """Be gone, as a killed engine is: nothing listens at its address any more."""
        self._server.stop(None).wait()

    def close(self) -> int:
        """End the plugin as an engine does at the end of a run; return its exit code."""
        if self.process.poll() is None:
            if self._is_plugin:
                self.call("Cancel")
            self.process.terminate()
        code = self.process.wait(60)
        self._channel.close()
        self._server.stop(None).wait()
        self._calls.shutdown()
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()
        return code


@contextmanager
def plugin_run(
    directory: Path,
    state: dict[str, tuple[str, Any, Any]] | None = None,
    command: Sequence[str | Path] = (PLUGIN,),
    **configuration: Any,
) -> Iterator[PluginEngine]:
    """Run the plugin for one run of an engine; a state goes on from one run to the next."""
    engine = PluginEngine(directory, {} if state is None else state, command)
    try:
        engine.configure(**configuration)
        yield engine
    finally:
        engine.close()
