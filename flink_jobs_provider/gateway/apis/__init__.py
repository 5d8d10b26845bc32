"""The job APIs that the gateway serves."""
