"""Reconciling on Flink session clusters: step by step, and back where a step fails."""

from flink_jobs_provider.reconciling.flink.reconciler import Reconciler

__all__ = ["Reconciler"]
