"""Flink's option that has the checkpoints of a job outlive a cancel, by its name of 1.11 to 2.3."""

RETENTION = "execution.checkpointing.externalized-checkpoint-retention"
RETAINED = "RETAIN_ON_CANCELLATION"
