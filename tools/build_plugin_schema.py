"""Write the plugin's package schema: `python tools/build_plugin_schema.py [--check]`.

`flink_jobs_provider/plugin/schema.json` is made from the pydantic models. Pulumi makes SDKs from
it, completes and checks YAML programs by it, and shows it in its registry.
"""

from __future__ import annotations

import json
import re
import sys
import types
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flink_jobs_provider.model.inputs import name_for_programs
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.plugin.job_functions import FUNCTIONS, JobFunction
from flink_jobs_provider.plugin.provider_configuration import PACKAGE, ProviderConfiguration

FILE = Path(__file__).parents[1] / "flink_jobs_provider" / "plugin" / "schema.json"
TOKEN = f"{PACKAGE}:index:Job"
#: The type of the same resource as the dynamic provider has it.
DYNAMIC_TYPE = "pulumi-python:dynamic/flink_jobs:FlinkJob"
#: Computed of another input, or given by the provider.
_COMPUTED = {"jar_digest"}
_FILLED_IN = {"target", "owner"}
_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}

Schema = dict[str, Any]


class _Types:
    """The objects and enumerations of the package, as far as properties refer to them."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}

    def of(self, annotation: Any) -> Schema:
        """Return the type of a property; what it refers to is found."""
        origin, parameters = get_origin(annotation), get_args(annotation)
        if annotation is Any:
            return {"$ref": "pulumi.json#/Any"}
        if origin is Annotated:
            return self.of(parameters[0])
        if origin in (Union, types.UnionType):
            return self._one_of([each for each in parameters if each is not type(None)])
        if origin is Literal:
            return {"type": "string"}
        if origin is list:
            return {"type": "array", "items": self.of(parameters[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(parameters[1])}
        if issubclass(annotation, BaseModel):
            return {"$ref": f"#/types/{self._object(annotation)}"}
        if is_dataclass(annotation):
            return {"$ref": f"#/types/{self._computed_object(annotation)}"}
        if issubclass(annotation, Enum):
            return {"type": "string", "$ref": f"#/types/{self._enumeration(annotation)}"}
        return {"type": _SCALARS[annotation]}

    def property_of(self, field: FieldInfo) -> Schema:
        """Return a property: its type, its meaning, and its default."""
        found = self.of(field.annotation) | _described(field)
        words = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        if len(words) == 1:
            return found | {"const": words[0]}
        default = field.default.value if isinstance(field.default, Enum) else field.default
        if isinstance(default, str | int | float) and "description" in found:
            found["description"] = f"{found['description']} Default: `{json.dumps(default)}`."
        return found

    def _one_of(self, options: list[Any]) -> Schema:
        if len(options) == 1:
            return self.of(options[0])
        kinds = {
            get_args(_plain(each).model_fields["kind"].annotation)[0]: self.of(each)["$ref"]
            for each in options
        }
        return {
            "oneOf": [{"$ref": each} for each in kinds.values()],
            "discriminator": {"propertyName": "kind", "mapping": kinds},
        }

    def _object(self, model: type[BaseModel]) -> str:
        token = f"{PACKAGE}:index:{name_for_programs(model)}"
        if token not in self.found:
            fields = model.model_fields
            required = [name for name, each in fields.items() if each.is_required()]
            self.found[token] = {}
            self.found[token] = {
                "type": "object",
                "description": _summary(model),
                "properties": {name: self.property_of(each) for name, each in fields.items()},
                "required": sorted({*required, *({"kind"} & _constants(model))}),
            }
        return token

    def _computed_object(self, of: type) -> str:
        token = f"{PACKAGE}:index:{of.__name__}"
        self.found[token] = {}
        self.found[token] = {"type": "object"} | self.answer(of)
        return token

    def answer(self, of: type) -> Schema:
        """Return the object that a dataclass is, with the meanings that its docstrings have."""
        meanings = _attributes_of(of)
        hints = get_type_hints(of)
        found = {
            "description": _summary(of),
            "properties": {
                name: self.of(each) | ({"description": meanings[name]} if name in meanings else {})
                for name, each in hints.items()
            },
        }
        always = sorted(name for name, each in hints.items() if not _may_be_none(each))
        return found | ({"required": always} if always else {})

    def function(self, function: JobFunction) -> Schema:
        """Return a function: its inputs, and what it returns."""
        inputs = function.query.model_fields
        properties = {name: self.property_of(each) for name, each in inputs.items()}
        if "args" in properties:
            properties["args"] = _or_one_text(properties["args"])
        return {
            "description": function.description,
            "inputs": {
                "properties": properties,
                "required": [name for name, each in inputs.items() if each.is_required()],
            },
            "outputs": self.answer(function.answer),
        }

    def _enumeration(self, enumeration: type[Enum]) -> str:
        token = f"{PACKAGE}:index:{enumeration.__name__}"
        self.found[token] = {
            "type": "string",
            "description": _summary(enumeration),
            "enum": [
                {"name": _pascal(each.name), "value": each.value, **_meaning_of(enumeration, each)}
                for each in enumeration
            ],
        }
        return token


def generated(inputs: type[BaseModel] = JobSpec) -> Schema:
    """Return the schema.

    Args:
        inputs: The model of a job's inputs.
    """
    known = _Types()
    given = {name: known.property_of(field) for name, field in inputs.model_fields.items()}
    given["args"] = _or_one_text(given["args"])
    seen = {
        name: known.property_of(field)
        for name, field in JobRecord.model_fields.items()
        if name != "spec"
    }
    seen["version_inputs"]["secret"] = True
    configuration = {
        name: known.property_of(field) for name, field in ProviderConfiguration.model_fields.items()
    }
    configuration["secrets"]["secret"] = True
    always = [name for name, each in JobRecord.model_fields.items() if _is_always_there(each)]
    required = [name for name, each in inputs.model_fields.items() if each.is_required()]
    return {
        "name": PACKAGE,
        "displayName": "Flink Jobs",
        "description": "Apache Flink jobs as code: created, upgraded and deleted with their state.",
        "keywords": ["pulumi", "flink", "category/infrastructure", "kind/native"],
        "license": "Apache-2.0",
        "publisher": PACKAGE,
        # An SDK has the version of this package, and all files of a package of its language.
        "meta": {"supportPack": True},
        # A target is given as JSON. The generator for Java fails at a type that a variable shares
        # with a function: it writes two classes of one name.
        "config": {"variables": configuration | {"target": _of_any_type(configuration["target"])}},
        "provider": {
            "description": "Where jobs run, and what references of targets refer to.",
            "inputProperties": configuration,
        },
        "resources": {
            TOKEN: {
                "description": "A Flink job: declared here, run on its cluster, with its state "
                "carried over.",
                "inputProperties": {
                    name: each for name, each in given.items() if name not in _COMPUTED
                },
                "requiredInputs": [name for name in required if name not in _FILLED_IN],
                "properties": given | seen,
                "required": sorted({*required, *always, "jar_digest"} - {"spec"}),
                "aliases": [{"type": DYNAMIC_TYPE}],
            }
        },
        "functions": {
            f"{PACKAGE}:index:{name}": known.function(each) for name, each in FUNCTIONS.items()
        },
        "types": dict(sorted(known.found.items())),
        # Names are those of the state, which the dynamic provider has as well: job_name.
        "language": {"python": {"pyproject": {"enabled": True}, "respectSchemaVersion": True}},
    }


def text(inputs: type[BaseModel] = JobSpec) -> str:
    """Return the whole file."""
    return json.dumps(generated(inputs), indent=2, ensure_ascii=False) + "\n"


def _is_always_there(field: FieldInfo) -> bool:
    return type(None) not in get_args(field.annotation) and field.default_factory is None


def _described(field: FieldInfo) -> Schema:
    if not field.description:
        return {}  # of what is computed; tools/build_args.py wants one of each input
    told = " ".join(field.description.split())
    return {"description": told.replace("by reference", "by reference (`env:NAME`, `config:KEY`)")}


def _summary(of: type) -> str:
    return " ".join((of.__doc__ or "").split("\n\n")[0].split())


def _or_one_text(texts: Schema) -> Schema:
    """Return a list of texts that may be given as one text, which is split at blanks."""
    return {
        "oneOf": [texts, {"type": "string"}],
        "description": texts.pop("description"),
    }


def _of_any_type(property_: Schema) -> Schema:
    return {"$ref": "pulumi.json#/Any", "description": property_["description"]}


def _attributes_of(of: type) -> dict[str, str]:
    """Return what the docstrings of a dataclass, and of its bases, say of its attributes."""
    found: dict[str, str] = {}
    for each in reversed(of.__mro__):
        _, _, told = (each.__dict__.get("__doc__") or "").partition("Attributes:\n")
        for match in re.finditer(r"^\s+(\w+): (.*(?:\n {12,}\S.*)*)", told, re.MULTILINE):
            found[match[1]] = re.sub(r"\bNone\b", "null", " ".join(match[2].split()))
    return found


def _may_be_none(annotation: Any) -> bool:
    return annotation is Any or type(None) in get_args(annotation)


def _meaning_of(enumeration: type[Enum], member: Enum) -> Schema:
    """Return what the docstring of an enumeration says of one of its words: `word`: meaning."""
    told = " ".join((enumeration.__doc__ or "").split())
    found = re.search(rf"`{re.escape(str(member.value))}`: (.*?)(?= `[\w-]+`: |$)", told)
    return {"description": found[1]} if found else {}


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _constants(model: type[BaseModel]) -> set[str]:
    return {
        name
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1
    }


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def main() -> int:
    """Write the file, or with --check only tell whether it is up to date."""
    wanted = text()
    if "--check" in sys.argv[1:]:
        if FILE.read_text(encoding="utf-8") == wanted:
            return 0
        sys.stderr.write(f"{FILE.name} is out of date: run python tools/build_plugin_schema.py\n")
        return 1
    FILE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
