"""How the providers of a project are started: the dynamic one, and the plugins of packages."""

import json
import os
import signal
import sys
from dataclasses import dataclass

from flink_jobs_provider.engine.child_process import LineHandler
from flink_jobs_provider.engine.plugin import Provider
from flink_jobs_provider.engine.plugin_process import Launch, PluginProcess
from flink_jobs_provider.engine.plugin_search import PluginSearch
from flink_jobs_provider.engine.resource_state import DYNAMIC_PACKAGE
from flink_jobs_provider.engine.stacks import OpenStack

_ENDS_WITH_ENGINE = "flink_jobs_provider.provider.process"


@dataclass(frozen=True)
class ProjectLauncher:
    """Starts providers where the CLI starts them: in the program's directory."""

    stack: OpenStack
    engine_address: str
    on_line: LineHandler

    async def start(self, package: str, version: str) -> Provider:
        """Start a provider, which is not configured yet.

        Raises ProviderError when it does not come up.
        """
        if package == DYNAMIC_PACKAGE:
            return Provider(await PluginProcess.start(self._dynamic(), self.on_line))
        process = await PluginProcess.start(self._launch(package, version), self.on_line)
        provider = Provider(process)
        try:
            await provider.shake_hands(self.engine_address)
        except BaseException:
            await provider.close()
            raise
        return provider

    def _dynamic(self) -> Launch:
        return Launch(
            "the dynamic provider",
            (
                *(sys.executable, "-u", "-m", _ENDS_WITH_ENGINE, "pulumi.dynamic"),
                self.engine_address,
            ),
            self.stack.place.project.working_directory,
            {**os.environ, "PULUMI_PROJECT": self.stack.place.project.name},
            signal.SIGTERM,
        )

    def _launch(self, package: str, version: str) -> Launch:
        project = self.stack.place.project
        executable = PluginSearch(project, os.environ).find(package, version)
        configuration = {
            name: value.text
            for name, value in self.stack.configuration.items()
            if name.startswith(f"{package}:")
        }
        return Launch(
            f"the {package} plugin",
            (str(executable), self.engine_address),
            self.stack.place.project.working_directory,
            {
                **os.environ,
                "PULUMI_PROJECT": self.stack.place.project.name,
                "PULUMI_CONFIG": json.dumps(configuration),
            },
            signal.SIGINT,  # as the CLI does; a plugin is told by Cancel before
            executable,
        )
