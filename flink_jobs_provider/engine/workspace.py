"""Which stack of a project is selected, kept where the Pulumi CLI keeps it.

`$PULUMI_HOME/workspaces/<project>-<SHA-1 of the path of Pulumi.yaml>-workspace.json` holds
`{"stacks": {"<backend>": "organization/<project>/<stack>"}}` (measured with Pulumi 3.260); CLIs
before that wrote `{"stack": …}`, which is read, too. A file without a selection is removed.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flink_jobs_provider.engine.backend import write_durably
from flink_jobs_provider.engine.errors import BackendError
from flink_jobs_provider.engine.project import Project


class Workspace:
    """The selection of one project, on one machine.

    Args:
        project: The project.
        backend: The address of its backend.
        environment: Names PULUMI_HOME.
    """

    def __init__(self, project: Project, backend: str, environment: Mapping[str, str]) -> None:
        self._backend = backend
        home = environment.get("PULUMI_HOME")
        root = Path(home).expanduser() if home else Path.home() / ".pulumi"
        digest = hashlib.sha1(str(project.file).encode(), usedforsecurity=False).hexdigest()
        self.path = root / "workspaces" / f"{project.name}-{digest}-workspace.json"

    def selected(self) -> str:
        """Return the full name of the selected stack, or an empty text."""
        settings = self._read()
        stacks = settings.get("stacks")
        chosen = stacks.get(self._backend) if isinstance(stacks, dict) else None
        return str(chosen or settings.get("stack") or "")

    def select(self, full_name: str) -> None:
        """Select a stack."""
        settings = self._read()
        stacks = settings.get("stacks")
        settings["stacks"] = {
            **(stacks if isinstance(stacks, dict) else {}),
            self._backend: full_name,
        }
        settings.pop("stack", None)
        write_durably(self.path, json.dumps(settings, indent=4))

    def unselect(self, full_name: str) -> None:
        """Select no stack, if that one is selected."""
        if self.selected() != full_name:
            return
        settings = self._read()
        settings.pop("stack", None)
        stacks = settings.get("stacks")
        if isinstance(stacks, dict):
            stacks.pop(self._backend, None)
            if not stacks:
                del settings["stacks"]
        if settings:
            write_durably(self.path, json.dumps(settings, indent=4))
        else:
            self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            settings = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise BackendError(f"{self.path} cannot be read: {error}") from error
        return settings if isinstance(settings, dict) else {}
