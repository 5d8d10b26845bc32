"""Observe, plan, perform, wait until it is really so, or roll back."""
