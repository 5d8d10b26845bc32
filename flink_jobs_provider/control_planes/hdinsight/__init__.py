"""HDInsight on AKS through Azure Resource Manager, or a gateway that serves the same API."""
