"""The HDInsight on AKS API: how its requests are read, and what it answers."""

from flink_jobs_provider.gateway.apis.hdinsight.routes import ArmFace
from flink_jobs_provider.wire.hdinsight import ApiVersion

__all__ = ["ApiVersion", "ArmFace"]
