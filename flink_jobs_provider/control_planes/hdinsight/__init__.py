"""HDInsight on AKS through Azure Resource Manager, or a gateway that serves the same API."""

from flink_jobs_provider.control_planes.hdinsight.plane import HDInsightPlane

__all__ = ["HDInsightPlane"]
