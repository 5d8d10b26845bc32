"""The gateway: a job service in front of any Flink session cluster."""
