"""Runs that die in the middle, and clusters that do not answer.

A run is killed (`kill -9`) right after the cluster has carried out a request, and the next run must
end with one job of what is declared then, its state whole. By default each request is struck once
in the plainest way (engine and provider killed, the same declared again, embedded engine), and a
choice of the rest is run: the engine killed alone, another version declared, the real Pulumi CLI.
FLINK_JOBS_FULL_FAULTS=1 runs every combination.
"""
