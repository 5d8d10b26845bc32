"""Reconciling on systems that take whole actions, and keep their jobs by name."""
