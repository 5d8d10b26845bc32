"""The HDInsight on AKS API: how its requests are read, and what it answers."""

from flink_jobs_provider.gateway.apis.hdinsight.routes import ArmFace

__all__ = ["ArmFace"]
