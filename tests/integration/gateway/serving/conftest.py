"""What tests of gateways as processes share."""

from tests.postgres_server import postgres_server

__all__ = ["postgres_server"]
