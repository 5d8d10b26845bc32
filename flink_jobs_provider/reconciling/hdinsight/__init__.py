"""Reconciling on systems that take whole actions, and keep their jobs by name."""

from flink_jobs_provider.reconciling.hdinsight.reconciler import ActionReconciler

__all__ = ["ActionReconciler"]
