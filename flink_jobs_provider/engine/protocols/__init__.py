"""The messages and stubs of Pulumi's protocols, as the SDK has them.

The SDK loads all of itself with any part of it (`pulumi/__init__.py`), which takes as long as the
rest of an engine does. Its generated modules refer to each other alone, so they are loaded as part
of this package: its path leads to where they are.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.runtime.proto import analyzer_pb2 as analyzer_pb2
    from pulumi.runtime.proto import analyzer_pb2_grpc as analyzer_pb2_grpc
    from pulumi.runtime.proto import engine_pb2 as engine_pb2
    from pulumi.runtime.proto import engine_pb2_grpc as engine_pb2_grpc
    from pulumi.runtime.proto import plugin_pb2 as plugin_pb2
    from pulumi.runtime.proto import provider_pb2 as provider_pb2
    from pulumi.runtime.proto import provider_pb2_grpc as provider_pb2_grpc
    from pulumi.runtime.proto import resource_pb2 as resource_pb2
    from pulumi.runtime.proto import resource_pb2_grpc as resource_pb2_grpc
    from pulumi.runtime.proto import status_pb2 as status_pb2


def _directories() -> list[str]:
    sdk = find_spec("pulumi")  # finds, and does not load
    places = sdk.submodule_search_locations if sdk else None
    return [str(Path(place, "runtime", "proto")) for place in places or ()]


__path__ = _directories()
