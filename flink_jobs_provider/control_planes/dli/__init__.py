"""Data Lake Insight: in Huawei Cloud or another, or a gateway that serves the same API."""
