"""The inputs by which `FlinkJob` tells the provider what an engine does not."""

#: Tells a resource from the others of its stack; `declarations` says what it is for.
RESOURCE_KEY = "__resource"
#: Set in a preview, in which new jobs are tried on their cluster.
PREVIEW_KEY = "__preview"
