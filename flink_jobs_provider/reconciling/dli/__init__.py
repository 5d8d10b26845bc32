"""Reconciling on systems that keep a job's configuration, and take single steps."""
