"""The native Pulumi plugin `flink-jobs`: its server, its schema, and its resource for Python.

`pulumi-resource-flink-jobs` serves the provider protocol over the same `ProviderService` as the
dynamic provider. What a Pulumi program uses is re-exported here, and imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flink_jobs_provider.plugin.job_resource import Job as Job
    from flink_jobs_provider.plugin.job_resource import Provider as Provider

__all__ = ["Job", "Provider"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from flink_jobs_provider.plugin import job_resource

        return getattr(job_resource, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
