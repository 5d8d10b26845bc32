"""What the state of a dynamic resource holds of its provider, and what its job is owned by.

A stack may go from the dynamic resource to the plugin's, and back: both have the same properties.
"""

from __future__ import annotations

#: The pickled provider itself, an input that the SDK adds.
PROVIDER_KEY = "__provider"
#: It, by reference, as it stands in states since the first release.
PICKLED_PROVIDER = (
    "gASVQAAAAAAAAACMJGZsaW5rX2pvYnNfcHJvdmlkZXIucHJvdmlkZXIuZHluYW1pY5SMEEZsaW5rSm9iUHJvdmlkZXK"
    "Uk5QpgZQu"
)


def owner_of_stack(organization: str, project: str, stack: str) -> str:
    """Return who owns the jobs of a stack."""
    return f"{organization}/{project}/{stack}"
