"""Reconciling on Flink session clusters: step by step, and back where a step fails."""
