"""The input by which `FlinkJob` tells a resource from the others of its stack."""

#: Its name; `declarations` says what it is for.
RESOURCE_KEY = "__resource"
