"""The commit that a run is of, as the CI that began it names it."""

from __future__ import annotations

import os
from collections.abc import Mapping

#: The variables by which CI systems name the commit; the first one that is set counts.
VARIABLES = (
    "FLINK_JOBS_COMMIT",  # where the CI has no variable of its own
    "GITHUB_SHA",
    "CI_COMMIT_SHA",  # GitLab
    "GIT_COMMIT",  # Jenkins
    "BUILD_SOURCEVERSION",  # Azure Pipelines
    "BITBUCKET_COMMIT",
    "CIRCLE_SHA1",
    "BUILDKITE_COMMIT",
    "CODEBUILD_RESOLVED_SOURCE_VERSION",
    "DRONE_COMMIT_SHA",
)
_LONGEST = 64


def commit_of(environment: Mapping[str, str] = os.environ) -> str:
    """Return the commit that the environment names, or an empty text."""
    found = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    return found.strip()[:_LONGEST]
