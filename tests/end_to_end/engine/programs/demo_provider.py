"""A dynamic provider whose resources are files, with faults on demand.

Every call is noted in `calls.jsonl` under DEMO_DIRECTORY. Faults are read from `faults.json` there
at each call: `{"<method>:<name>": <fault>}` with

    {"raise": "words"}     raise, before anything is done
    {"raise_after": "…"}   raise, after it was done
    {"hold": true}         wait until a file `release` is there
    {"die": true}          end the provider's process
    {"kill": "before"}     kill -9 the process whose number is in `engine.pid`, and this one
    {"kill_engine": "after"}  kill -9 the engine alone, after it was done
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

DIRECTORY = Path(os.environ["DEMO_DIRECTORY"])
_LOCK = threading.Lock()
_COUNT = {"mutations": 0}


def note(method: str, name: object, **what: Any) -> None:
    """Note a call."""
    with _LOCK, (DIRECTORY / "calls.jsonl").open("a") as file:
        file.write(json.dumps({"method": method, "name": name, **what}, default=repr) + "\n")


def shown(properties: dict[str, Any]) -> dict[str, Any]:
    """Return properties without the provider's own."""
    return {key: value for key, value in properties.items() if not key.startswith("__")}


def faults(method: str, name: object) -> dict[str, Any]:
    """Read the faults to show at this call."""
    path = DIRECTORY / "faults.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    own: dict[str, Any] = found.get(f"{method}:{name}", {})
    if method in ("create", "update", "delete"):
        with _LOCK:
            _COUNT["mutations"] += 1
            own = own | found.get(f"mutation:{_COUNT['mutations']}", {})
    return own


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    while not path.exists():
        time.sleep(0.01)


def show(fault: dict[str, Any], when: str) -> None:
    """Show a fault."""
    if when == "before" and "raise" in fault:
        raise ValueError(fault["raise"])
    if when == "after" and "raise_after" in fault:
        raise ValueError(fault["raise_after"])
    if when == "before" and fault.get("hold"):
        (DIRECTORY / "held").touch()
        wait_for(DIRECTORY / "release")
    if when == "before" and fault.get("die"):
        os._exit(3)
    for key in ("kill", "kill_engine"):
        if fault.get(key) == when:
            wait_for(DIRECTORY / "engine.pid")
            os.kill(int((DIRECTORY / "engine.pid").read_text()), signal.SIGKILL)
            if key == "kill":
                os._exit(9)
            if when == "before":
                time.sleep(0.2)


class Files(ResourceProvider):
    """Keep each resource in a file `<name>.json`."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Note the configuration that the provider was given."""
        note("configure", None, greeting=req.config.get("greeting"), token=req.config.get("token"))

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse a negative size, and add an input of its own."""
        note("check", news.get("name"), olds=shown(_olds), news=shown(news))
        show(faults("check", news.get("name")), "before")
        failures = []
        if news.get("size") == -1:
            failures = [CheckFailure("size", "must not be negative"), CheckFailure("", "no good")]
        if news.get("print"):
            # In one write: `print` makes two, and other threads' lines come between them.
            sys.stdout.write(f"checked {news['name']}: {news['print']}\n")
        return CheckResult({**news, "checked": True}, failures)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare what was and what is wanted."""
        note("diff", _news.get("name"), id=_id, olds=shown(_olds), news=shown(_news))
        show(faults("diff", _news.get("name")), "before")
        if _news.get("leave_diff_to_engine"):
            return DiffResult()
        changed = [
            key
            for key in {*shown(_olds), *shown(_news)} - {"made", "id"}
            if _olds.get(key) != _news.get(key)
        ]
        return DiffResult(
            changes=bool(changed),
            replaces=[key for key in ("kind", "name") if key in changed],
            delete_before_replace=_news.get("delete_first") is True,
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Write the file; count how often that was done."""
        fault = faults("create", props["name"])
        note("create", props["name"], props=shown(props))
        show(fault, "before")
        path = DIRECTORY / f"{props['name']}.json"
        made = json.loads(path.read_text())["made"] + 1 if path.exists() else 1
        path.write_text(json.dumps({**shown(props), "made": made}))
        show(fault, "after")
        return CreateResult(f"id-{props['name']}", {**props, "made": made})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Write the file anew."""
        fault = faults("update", _news["name"])
        note("update", _news["name"], id=_id, olds=shown(_olds), news=shown(_news))
        show(fault, "before")
        made = _olds.get("made", 0)
        (DIRECTORY / f"{_news['name']}.json").write_text(json.dumps({**shown(_news), "made": made}))
        show(fault, "after")
        return UpdateResult({**_news, "made": made})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Read the file, with the inputs it was made of."""
        note("read", props.get("name"), id=id_, props=shown(props))
        show(faults("read", props.get("name")), "before")
        path = DIRECTORY / f"{props['name']}.json"
        if not path.exists():
            return ReadResult(None, {})
        found = json.loads(path.read_text())
        inputs = {key: value for key, value in found.items() if key != "made"}
        return ReadResult(id_, found, inputs)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Remove the file."""
        fault = faults("delete", _props["name"])
        note("delete", _props["name"], id=_id, props=shown(_props))
        show(fault, "before")
        (DIRECTORY / f"{_props['name']}.json").unlink(missing_ok=True)
        show(fault, "after")


class File(Resource, module="demo", name="File"):
    """Declare a file."""

    made: pulumi.Output[int]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **props: Any) -> None:
        super().__init__(Files(), name, {"name": name, "made": None, **props}, opts)


class Group(pulumi.ComponentResource):
    """Group files."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("demo:Group", name, {}, opts)
