"""Runs on a Data Lake Insight target, killed at their requests to it."""
