"""Run a Pulumi Python program of dynamic resources without the Pulumi CLI.

The engine speaks the SDK's own protocols to the program and to `python -m pulumi.dynamic`, and
keeps its state where the CLI's file backend keeps it, so that either can go on where the other
stopped. It knows nothing of Flink.
"""
