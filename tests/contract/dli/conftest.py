"""The storage of the job service."""

from __future__ import annotations

from tests.contract.stored_jars import storage

__all__ = ["storage"]
