"""Policies on the jobs of a stack: what an organization permits, beyond what is valid.

`rules` decides, and knows no protocol; `analyzer` answers the engine that asks, and `pack` is the
folder that `pulumi preview --policy-pack` is given.
"""

from __future__ import annotations

from pathlib import Path

#: The directory with `PulumiPolicy.yaml`.
PACK_DIRECTORY = Path(__file__).with_name("pack")
