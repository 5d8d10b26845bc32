"""What depends on the Flink version: the Java it runs on, and how its configuration is written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flink_jobs_provider.local.errors import LocalClusterError

DEFAULT_FLINK_VERSION = "2.3.0"


@dataclass(frozen=True)
class FlinkVersion:
    """A released Flink version, such as 2.3.0."""

    text: str
    release: tuple[int, int]

    @classmethod
    def parse(cls, text: str) -> FlinkVersion:
        """Read "2.3.0"; anything before 1.17, or without three numbers, is refused."""
        match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text)
        if match is None:
            raise LocalClusterError(
                f"'{text}' is not a Flink version.",
                now="Nothing was started.",
                advice="Give all three numbers, such as 2.3.0 or 1.20.5.",
            )
        release = (int(match[1]), int(match[2]))
        if release < (1, 17):
            raise LocalClusterError(
                f"Flink {text} is too old.",
                now="Nothing was started.",
                advice="Choose 1.17 or newer, such as 2.3.0 or 1.20.5.",
            )
        return cls(text, release)

    @property
    def java_releases(self) -> tuple[int, ...]:
        """List the Java feature releases it runs on (Flink docs, "Java compatibility").

        Java 21 is experimental there for 1.19 and 1.20, and measured to work with both here; Java
        17 is so for 1.17.
        """
        if self.release >= (2, 0):
            return (11, 17, 21)
        if self.release >= (1, 19):
            return (8, 11, 17, 21)
        return (8, 11, 17)

    @property
    def configuration_file(self) -> str:
        """Return the name of its configuration file: YAML since 1.19, flat lines before."""
        return "config.yaml" if self.release >= (1, 19) else "flink-conf.yaml"

    def __str__(self) -> str:
        return self.text
