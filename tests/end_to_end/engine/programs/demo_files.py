"""The resources of the demo plugin, as a generated SDK has them."""

from typing import Any

import pulumi


class NativeFile(pulumi.CustomResource):
    """Declare a file that the plugin keeps."""

    made: pulumi.Output[int]
    path: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **props: Any) -> None:
        inputs = {"name": name, "made": None, "path": None, **props}
        super().__init__("files:index:File", name, inputs, opts)


class FilesProvider(pulumi.ProviderResource):
    """Declare an instance of the plugin with a configuration of its own."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **props: Any) -> None:
        super().__init__("files", name, props, opts)


ONCE_DYNAMIC = pulumi.Alias(type_="pulumi-python:dynamic/demo:File")
ONCE_NATIVE = pulumi.Alias(type_="files:index:File")
