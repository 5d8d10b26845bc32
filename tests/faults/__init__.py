"""Runs that die in the middle, and clusters that do not answer."""
