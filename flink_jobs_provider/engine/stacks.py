"""A stack as a command opens it: which one, its configuration, its secrets and its state.

Light: nothing of Pulumi is loaded for it.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flink_jobs_provider.engine.backend import FileBackend, StackFiles, write_durably
from flink_jobs_provider.engine.checkpoint import CheckpointFormat, deployment_of, salt_of
from flink_jobs_provider.engine.errors import StackError
from flink_jobs_provider.engine.resource_state import STACK_TYPE, Snapshot
from flink_jobs_provider.engine.stack_configuration import (
    ConfigurationValue,
    Crypter,
    StackConfiguration,
    find_passphrase,
)
from flink_jobs_provider.engine.values import PropertyMap, Secret, contains_secrets
from flink_jobs_provider.engine.workspace import Project, Workspace, backend_url, find_project


@dataclass(frozen=True)
class Place:
    """A project with its backend, and whether the user can be asked for a passphrase."""

    project: Project
    backend: FileBackend
    environment: Mapping[str, str]
    interactive: bool = False

    @classmethod
    def find(
        cls, directory: Path, environment: Mapping[str, str], *, interactive: bool = False
    ) -> "Place":
        """Find the project that a directory belongs to, and its backend."""
        project = find_project(directory)
        backend = FileBackend(backend_url(project, environment))
        backend.check()
        return cls(project, backend, environment, interactive)

    def files(self, stack: str) -> StackFiles:
        """Return the files of a stack's state."""
        return self.backend.files_of(self.project.name, stack)

    def configuration(self, stack: str) -> StackConfiguration:
        """Read a stack's configuration file."""
        files = self.files(stack)
        return StackConfiguration.read(self.project.stack_configuration_file(files.stack))

    @property
    def workspace(self) -> Workspace:
        """Return the workspace, which holds the selected stack."""
        return Workspace(self.project, self.backend.url, self.environment)

    def crypter(self, stack: str, salt: str) -> Crypter:
        """Make the crypter of a stack, asking for the passphrase where that is possible."""
        passphrase = find_passphrase(self.environment, interactive=self.interactive, stack=stack)
        return Crypter(passphrase, salt)

    def crypter_for(self, stack: str, configuration: StackConfiguration) -> Crypter:
        """Return the crypter to encrypt with; a configuration without a salt gets one."""
        if salt := configuration.encryption_salt:
            return self.crypter(stack, salt)
        passphrase = find_passphrase(self.environment, interactive=self.interactive, stack=stack)
        crypter = Crypter.fresh(passphrase)
        configuration.encryption_salt = crypter.encryption_salt
        return crypter

    def initialise(self, stack: str) -> Path:
        """Make an empty stack with a salt for its secrets; return its configuration file.

        Raises StackError when there is one already.
        """
        files = self.files(stack)
        if files.exists():
            raise StackError(f"stack {files.stack!r} exists already")
        configuration = self.configuration(stack)
        is_salted = bool(configuration.encryption_salt)
        crypter = self.crypter_for(files.stack, configuration)
        if not is_salted:
            configuration.write()
        self.backend.prepare()
        text = CheckpointFormat(files.full_name, crypter).write([], [], {})
        write_durably(files.checkpoint, text)
        return configuration.path


@dataclass(frozen=True)
class OpenStack:
    """A stack with everything decrypted, as it was when it was opened."""

    place: Place
    files: StackFiles
    configuration: dict[str, ConfigurationValue]
    checkpoint: CheckpointFormat
    snapshot: Snapshot

    @classmethod
    def open(cls, place: Place, stack: str) -> "OpenStack":
        """Read a stack.

        Raises StackError when there is none, PassphraseError without the right passphrase, and
        CheckpointError when its state cannot be read.
        """
        files = place.files(stack)
        text = files.read_checkpoint()
        stack_configuration = place.configuration(stack)
        salt = stack_configuration.encryption_salt
        state_salt = salt_of(deployment_of(text, files.checkpoint))
        stack_configuration.refuse_lost_salt()
        crypters = {each: place.crypter(files.stack, each) for each in {salt, state_salt} if each}
        own = crypters.get(salt or state_salt or "")
        reader = CheckpointFormat(
            files.full_name,
            crypters.get(state_salt or salt or ""),
            keep_ciphertexts=state_salt in (None, salt or state_salt),
        )
        return cls(
            place=place,
            files=files,
            configuration=stack_configuration.values(place.project.name, own),
            checkpoint=CheckpointFormat(files.full_name, own),
            snapshot=reader.read(text, files.checkpoint),
        )

    def outputs(self) -> PropertyMap:
        """Return the stack's outputs as they were saved last."""
        return _outputs_in(self.snapshot)

    async def outputs_of_another(self, name: str) -> PropertyMap:
        """Return another stack's outputs, by `stack` or `organization/project/stack`.

        Raises PassphraseError when its secrets are under another passphrase.
        """
        project, _, stack = name.removeprefix("organization/").rpartition("/")
        if not project:
            project = self.place.project.name
        files = self.place.backend.files_of(project, stack)
        text = files.read_checkpoint()
        salt = salt_of(deployment_of(text, files.checkpoint))
        crypter = self.place.crypter(stack, salt) if salt else None
        snapshot = CheckpointFormat(files.full_name, crypter, keep_ciphertexts=False).read(
            text, files.checkpoint
        )
        return _outputs_in(snapshot)


def _outputs_in(snapshot: Snapshot) -> PropertyMap:
    stacks = (state for state in snapshot.resources if state.type == STACK_TYPE)
    return next((state.outputs for state in stacks if not state.delete), {})


def secret_texts(stack: OpenStack) -> set[str]:
    """Return every text that must not be shown: secret configuration and secret strings."""
    texts = {value.text for value in stack.configuration.values() if value.secret}
    for state in stack.snapshot.resources:
        for properties in (state.inputs, state.outputs):
            for key, value in properties.items():
                if not key.startswith("__") and contains_secrets(value):
                    texts.update(_strings_in_secrets(value))
    return texts


def _strings_in_secrets(value: object, *, within: bool = False) -> set[str]:
    if isinstance(value, Secret):
        return _strings_in_secrets(value.value, within=True)
    if isinstance(value, dict):
        return _strings_in_secrets(list(value.values()), within=within)
    if isinstance(value, list):
        return set().union(*(_strings_in_secrets(item, within=within) for item in value))
    return {value} if within and isinstance(value, str) else set()


def default_parallel() -> int:
    """Return how many operations run at once by default."""
    return max(16, 4 * (os.cpu_count() or 1))


@dataclass(frozen=True)
class Request:
    """The options of a command, as the command line has them."""

    directory: Path
    stack: str | None = None
    yes: bool = False
    skip_preview: bool = False
    refresh: bool = False
    expect_no_changes: bool = False
    parallel: int = 0
    diff: bool = False
    json: bool = False
    interactive: bool = True
    verbose: bool = False
    policy_pack: Sequence[Path] | None = None
    policy_pack_config: Sequence[Path | None] | None = None
    environment: Mapping[str, str] | None = None

    def place(self) -> Place:
        """Find the project and its backend."""
        environment = os.environ if self.environment is None else self.environment
        return Place.find(self.directory, environment, interactive=self.asks)

    def files(self) -> tuple[Place, StackFiles]:
        """Find the project and the files of the stack that is meant, which must exist."""
        place = self.place()
        files = place.files(stack_name(self, place))
        files.read_checkpoint()
        return place, files

    def open(self) -> OpenStack:
        """Open the stack that is meant."""
        place = self.place()
        return OpenStack.open(place, stack_name(self, place))

    @property
    def asks(self) -> bool:
        """Return whether a person can be asked: both ends are terminals."""
        return self.interactive and sys.stdin.isatty() and sys.stdout.isatty()


def stack_name(request: Request, place: Place) -> str:
    """Find the stack that is meant: named, else selected, else the project's only one.

    Raises StackError when that is not clear.
    """
    environment = place.environment
    if name := request.stack or environment.get("PULUMI_STACK"):
        return name
    stacks = place.backend.stacks_of(place.project.name)
    selected = place.workspace.selected().rpartition("/")[2]
    if selected in stacks:
        return selected
    if len(stacks) == 1:
        return stacks[0]
    if not stacks:
        raise StackError(
            f"project {place.project.name!r} has no stack yet",
            "Make one: flink-jobs stack init <name>",
        )
    raise StackError(
        f"project {place.project.name!r} has several stacks: {', '.join(stacks)}",
        "Name one with --stack, or select it: flink-jobs stack select <name>",
    )
