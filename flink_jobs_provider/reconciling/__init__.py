"""Observe, plan, perform, wait until it is really so, or roll back."""

from flink_jobs_provider.reconciling.reconciler import Reconciler

__all__ = ["Reconciler"]
