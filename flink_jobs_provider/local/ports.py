"""Ports on the loopback interface."""

from __future__ import annotations

import socket

from flink_jobs_provider.local.errors import LocalClusterError


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int) -> None:
    """Raise if something listens on the port."""
    with socket.socket() as probe:
        # As Flink does: a port whose last connections only linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalClusterError(
                f"Port {port} cannot be used: {error.strerror}.",
                now="Nothing was started.",
                advice="Choose another with --port; 0 takes any free one.",
            ) from error
