"""Checkpoints: the CLI's JSON, version 3, secrets encrypted.

A field that this engine does not know is kept as it was read, so that passing through here loses
nothing that the CLI wrote.
"""

import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flink_jobs_provider.engine.errors import CheckpointError, UnsupportedError
from flink_jobs_provider.engine.resource_state import (
    OperationKind,
    PendingOperation,
    ResourceState,
    Snapshot,
    Timeouts,
)
from flink_jobs_provider.engine.stack_configuration import Crypter
from flink_jobs_provider.engine.values import (
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    PropertyMap,
    Secret,
    Value,
    normal_number,
)

_VERSION = 3
#: Fields that a state has under the same name, but in snake case.
_SINGLE_FIELDS = (
    *("protect", "external", "delete", "pendingReplacement", "retainOnDelete"),
    *("parent", "provider", "deletedWith", "created", "modified", "sourcePosition"),
)
_LISTS = (
    *("dependencies", "replaceWith", "additionalSecretOutputs"),
    *("ignoreChanges", "replaceOnChanges", "initErrors"),
)
_ATTRIBUTES = {
    name: re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
    for name in (*_SINGLE_FIELDS, *_LISTS)
} | {"importID": "import_id"}
_KNOWN_FIELDS = {
    *_ATTRIBUTES,
    *("urn", "custom", "id", "type", "inputs", "outputs", "propertyDependencies"),
    *("hideDiff", "replacementTrigger", "stackTrace", "customTimeouts"),
}


def now() -> str:
    """Return the time in the format of checkpoints."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


class CheckpointFormat:
    """The text format of one stack's snapshots."""

    def __init__(
        self, stack: str, crypter: Crypter | None, *, keep_ciphertexts: bool = True
    ) -> None:
        """Take the stack's full name, `organization/<project>/<stack>`.

        Ciphertexts are kept, so that an unchanged secret is written as it was read; not so where
        the state is to be written under another key.
        """
        self._stack = stack
        self._crypter = crypter
        self._keep_ciphertexts = keep_ciphertexts

    def read(self, text: str, path: Path) -> Snapshot:
        """Read a checkpoint.

        Raises CheckpointError for text that is none, and UnsupportedError for what only the CLI
        understands.
        """
        deployment = deployment_of(text, path)
        _refuse_what_is_unknown(deployment)
        try:
            return Snapshot(
                resources=[self._resource(data) for data in deployment.get("resources") or []],
                pending_operations=[
                    PendingOperation(OperationKind(data["type"]), self._resource(data["resource"]))
                    for data in deployment.get("pending_operations") or []
                ],
                other={"metadata": deployment.get("metadata") or {}},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _corrupt(path, repr(error)) from error

    def write(
        self, resources: list[str], pending_operations: list[str], other: dict[str, Any]
    ) -> str:
        """Return the text of a checkpoint whose resources and operations are in JSON already."""
        manifest = {"time": now(), "magic": "", "version": ""}
        parts = [f'"manifest":{_json(manifest)}']
        if self._crypter:
            state = {"type": "passphrase", "state": {"salt": self._crypter.encryption_salt}}
            parts.append(f'"secrets_providers":{_json(state)}')
        if resources:
            parts.append(f'"resources":[{",".join(resources)}]')
        if pending_operations:
            parts.append(f'"pending_operations":[{",".join(pending_operations)}]')
        parts.append(f'"metadata":{_json(other.get("metadata") or {})}')
        latest = "{" + ",".join(parts) + "}"
        checkpoint = f'{{"stack":{_json(self._stack)},"latest":{latest}}}'
        return f'{{"version":{_VERSION},"checkpoint":{checkpoint}}}'

    def resource_json(self, state: ResourceState) -> str:
        """Return one resource as JSON."""
        data: dict[str, Any] = {"urn": state.urn, "custom": state.custom}
        if state.id:
            data["id"] = state.id
        data["type"] = state.type
        if state.inputs:
            data["inputs"] = self._encrypted(state.inputs)
        if state.outputs:
            data["outputs"] = self._encrypted(state.outputs)
        for name, attribute in _ATTRIBUTES.items():
            if value := getattr(state, attribute):
                data[name] = list(value) if name in _LISTS else value
        if state.property_dependencies:
            data["propertyDependencies"] = {
                key: list(urns) for key, urns in sorted(state.property_dependencies.items())
            }
        if state.hide_diffs:
            data["hideDiff"] = [list(path) for path in state.hide_diffs]
        if state.replacement_trigger is not None:
            data["replacementTrigger"] = self._encrypted(state.replacement_trigger)
        if timeouts := {name: s for name, s in vars(state.custom_timeouts).items() if s}:
            data["customTimeouts"] = timeouts
        if state.stack_trace:
            data["stackTrace"] = [
                {"sourcePosition": frame} if frame else {} for frame in state.stack_trace
            ]
        return _json(data | state.other)

    def operation_json(self, operation: PendingOperation) -> str:
        """Return one pending operation as JSON."""
        return f'{{"resource":{self.resource_json(operation.resource)},"type":"{operation.kind}"}}'

    def _resource(self, data: dict[str, Any]) -> ResourceState:
        same: dict[str, Any] = {
            attribute: tuple(data[name] or ()) if name in _LISTS else data[name]
            for name, attribute in _ATTRIBUTES.items()
            if name in data
        }
        dependencies = data.get("propertyDependencies")
        return ResourceState(
            urn=data["urn"],
            custom=data["custom"],
            type=data["type"],
            id=data.get("id", ""),
            inputs=self._properties(data.get("inputs")),
            outputs=self._properties(data.get("outputs")),
            property_dependencies=(
                {key: tuple(urns or ()) for key, urns in dependencies.items()}
                if dependencies is not None
                else None
            ),
            hide_diffs=tuple(tuple(path) for path in data.get("hideDiff") or ()),
            replacement_trigger=self._decrypted(data.get("replacementTrigger")),
            custom_timeouts=_timeouts(data.get("customTimeouts") or {}),
            stack_trace=tuple(
                frame.get("sourcePosition", "") for frame in data.get("stackTrace") or ()
            ),
            other={key: value for key, value in data.items() if key not in _KNOWN_FIELDS},
            **same,
        )

    def _properties(self, data: dict[str, Any] | None) -> PropertyMap:
        return {key: self._decrypted(value) for key, value in (data or {}).items()}

    def _decrypted(self, data: Any, *, within_secret: bool = False) -> Value:
        if isinstance(data, dict):
            if data.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
                ciphertext = data["ciphertext"]
                if within_secret:
                    return Secret(self._decrypted(json.loads(ciphertext), within_secret=True))
                if self._crypter is None:
                    raise CheckpointError(
                        "the checkpoint holds secrets, but the stack has no `encryptionsalt`",
                        "Bring back the Pulumi.<stack>.yaml that the stack was made with.",
                    )
                text = self._crypter.decrypt(ciphertext)
                return Secret(
                    self._decrypted(json.loads(text), within_secret=True),
                    ciphertext if self._keep_ciphertexts else None,
                )
            return {
                key: self._decrypted(value, within_secret=within_secret)
                for key, value in data.items()
            }
        if isinstance(data, list):
            return [self._decrypted(item, within_secret=within_secret) for item in data]
        return normal_number(data) if isinstance(data, float) else data

    def _encrypted(self, value: Value) -> Any:
        if isinstance(value, Secret):
            if self._crypter is None:
                raise CheckpointError("a secret cannot be kept: the stack has no passphrase")
            ciphertext = value.ciphertext or self._crypter.encrypt(_json(_marked(value.value)))
            return {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": ciphertext}
        if isinstance(value, dict):
            return {key: self._encrypted(item) for key, item in sorted(value.items())}
        if isinstance(value, list):
            return [self._encrypted(item) for item in value]
        return value


def _timeouts(data: dict[str, Any]) -> Timeouts:
    return Timeouts(**{field.name: data.get(field.name) or 0.0 for field in fields(Timeouts)})


def deployment_of(text: str, path: Path) -> dict[str, Any]:
    """Return the deployment within a checkpoint, still encrypted."""
    return document_of(text, path)[1]


def document_of(text: str, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the whole of a checkpoint, and the deployment within it, still encrypted."""
    try:
        document = json.loads(text)
        version, deployment = document["version"], document["checkpoint"].get("latest") or {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _corrupt(path, str(error)) from error
    if version != _VERSION:
        raise UnsupportedError(f"checkpoints of version {version} ({path})")
    if not isinstance(deployment, dict):
        raise CheckpointError(f"the checkpoint {path} is corrupt: `latest` is no object")
    return document, deployment


def _corrupt(path: Path, reason: str) -> CheckpointError:
    """Return the error for a checkpoint that cannot be read."""
    return CheckpointError(
        f"the checkpoint {path} is corrupt: {reason}",
        f"The state before the last run's first change is in {path}.bak.",
    )


def salt_of(deployment: dict[str, Any]) -> str | None:
    """Return the salt of a deployment's secrets, or None."""
    provider = deployment.get("secrets_providers") or {}
    kind = provider.get("type")
    if kind not in (None, "", "passphrase"):
        raise UnsupportedError(f"the secrets provider `{kind}` of the stack's state")
    salt = (provider.get("state") or {}).get("salt")
    return str(salt) if salt else None


def _refuse_what_is_unknown(deployment: dict[str, Any]) -> None:
    for name in ("snippets", "extensions"):
        if deployment.get(name):
            raise UnsupportedError(f"state with `{name}`")
    for operation in deployment.get("pending_operations") or []:
        if operation.get("type") == "importing":
            raise UnsupportedError("a pending import")


def _marked(value: Value) -> Any:
    """Keep a secret within a secret marked, without encrypting it twice."""
    if isinstance(value, Secret):
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": _json(_marked(value.value))}
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return value


def _json(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)
