"""Faults of every kind at every request of every action, on a real cluster: `make faults`.

An undisturbed run of an action records its requests. Then each of them is struck by each kind of
fault, in runs of their own; after each the same is run again, undisturbed, and must end with one
job of what is declared, every number counted once, and savepoints from which a job can start. The
page docs/faults.md is written from what was seen.
"""
