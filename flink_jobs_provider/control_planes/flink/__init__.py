"""Any Flink session cluster, over its REST API (Flink 1.17 to 2.3)."""
