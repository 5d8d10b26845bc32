"""Reconciling on systems that keep a job's configuration, and take single steps."""

from flink_jobs_provider.reconciling.dli.reconciler import StepReconciler

__all__ = ["StepReconciler"]
