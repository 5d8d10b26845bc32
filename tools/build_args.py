"""Write what a Pulumi program may give: `python tools/build_args.py [--check]`.

The lower part of `provider/args.py` is made from the pydantic models, so that editors complete
and check the inputs of a program, which loads none of these models: they would cost each command
of an engine their import.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flink_jobs_provider.model.health_gate import HealthGate
from flink_jobs_provider.model.inputs import name_for_programs
from flink_jobs_provider.model.rehearsal import Rehearsal
from flink_jobs_provider.model.savepoint_retention import SavepointRetention
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import (
    AzureCredential,
    BasicAuth,
    DliTarget,
    FlinkTarget,
    HDInsightTarget,
    Tls,
)
from flink_jobs_provider.model.target.dli import DliResourceConfig, DliResourceSpec, DliSettings
from flink_jobs_provider.model.timeouts import Timeouts

FILE = Path(__file__).parents[1] / "flink_jobs_provider" / "provider" / "args.py"
_BELOW = "# Below this line: written by tools/build_args.py from the model.\n"
_WIDTH = 100

#: The objects, each after those that it holds.
_OBJECTS: tuple[type[BaseModel], ...] = (
    BasicAuth,
    Tls,
    FlinkTarget,
    AzureCredential,
    HDInsightTarget,
    DliTarget,
    DliResourceSpec,
    DliResourceConfig,
    HealthGate,
    Rehearsal,
    SavepointRetention,
    Timeouts,
)
#: Programs may give these by their places.
_BY_PLACE = {Tls, Timeouts}
#: Inputs with defaults of their own in a program, and those that it does not give by keyword.
_FILLED_IN = {"owner"}
_NOT_BY_KEYWORD = {"jar_digest", "args"}
_SCALARS = {str: "str", int: "int", float: "float", bool: "bool"}


def generated(inputs: type[BaseModel] = JobSpec) -> str:
    """Return the part of the file that is made from the models.

    Args:
        inputs: The model of a job's inputs.
    """
    by_keyword = {
        name: field for name, field in inputs.model_fields.items() if name not in _NOT_BY_KEYWORD
    }
    parts = [_BELOW.rstrip(), *map(_class, _OBJECTS)]
    parts.append(
        _typed_dict(
            "DliSettingsInputs",
            "The settings of a job on Data Lake Insight.",
            DliSettings.model_fields,
        )
    )
    parts.append(_typed_dict("JobInputs", "The inputs of a job, but its arguments.", by_keyword))
    return "\n\n\n".join(parts) + "\n"


def text(inputs: type[BaseModel] = JobSpec) -> str:
    """Return the whole file: what is written by hand, and what is made from the models."""
    by_hand, _, _ = FILE.read_text(encoding="utf-8").partition(_BELOW)
    return by_hand + generated(inputs)


def _class(model: type[BaseModel]) -> str:
    """Return the class of an object: its fields, and each one's meaning."""
    fields, constants = {}, {}
    for name, field in model.model_fields.items():
        words = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        if len(words) == 1:
            constants[name] = words[0]
        else:
            fields[name] = field
    required = [name for name in fields if fields[name].is_required()]
    optional = [name for name in fields if name not in required]
    summary = (model.__doc__ or "").split("\n\n")[0]
    lines = ["@dataclass(eq=False, repr=False)", f"class {name_for_programs(model)}(InputObject):"]
    lines += _wrapped('"""' + summary, "    ")
    lines += ["", "    Args:"]
    for name in [*required, *optional]:
        lines += _wrapped(f"{name}: {_meaning(fields[name])}", "        ", "            ")
    lines += ['    """', ""]
    lines += [
        f'    {name}: str = field(default_factory=lambda: "{word}", init=False)'
        for name, word in constants.items()
    ]
    lines += [f"    {name}: {_input(fields[name])}" for name in required]
    if optional and model not in _BY_PLACE:
        lines.append("    _: KW_ONLY")
    lines += [f"    {name}: {_input(fields[name])} | None = None" for name in optional]
    return "\n".join(lines)


def _typed_dict(name: str, summary: str, fields: Mapping[str, FieldInfo]) -> str:
    """Return the keywords of a call: each with its type and its meaning, as editors show it."""
    lines = [f"class {name}(TypedDict, total=False):", f'    """{summary}"""']
    for key, field in fields.items():
        none = "" if field.is_required() and key not in _FILLED_IN else " | None"
        lines += ["", f"    {key}: {_input(field)}{none}"]
        meaning = _wrapped(f'"""{_meaning(field)}"""', "    ")
        if len(meaning) > 1:
            meaning = [*_wrapped(f'"""{_meaning(field)}', "    "), '    """']
        lines += meaning
    return "\n".join(lines)


def _meaning(field: FieldInfo) -> str:
    if not field.description:
        raise ValueError(f"a field needs a description: {field}")
    told = " ".join(field.description.split())
    return told.replace("by reference", "by reference (`env:NAME` or `config:KEY`)")


def _wrapped(words: str, indent: str, below: str | None = None) -> list[str]:
    return wrap(
        words,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if below is None else below,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _input(field: FieldInfo) -> str:
    """Return the type of an input for a program: its own, or an output of another resource."""
    return _type(field.annotation)


def _type(annotation: Any) -> str:
    origin, parameters = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parameters[0])
    if origin in (Union, types.UnionType):
        options = [_plain(each) for each in parameters if each is not type(None)]
        if len(options) == 1:
            return _type(options[0])
        return " | ".join([*map(name_for_programs, options), "Input[Mapping[str, Any]]"])
    if origin is Literal:
        return "Input[str]"
    if origin is list:
        return f"Input[Sequence[{_type(parameters[0])}]]"
    if origin is dict:
        return f"Input[Mapping[str, {_type(parameters[1])}]]"
    if issubclass(annotation, BaseModel):
        return f"{name_for_programs(annotation)} | Input[Mapping[str, {_values(annotation)}]]"
    if issubclass(annotation, StrEnum):
        return "Input[str]"
    return f"Input[{_SCALARS[annotation]}]"


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _values(model: type[BaseModel]) -> str:
    """Return the type of the values of an object that is given as a map."""
    kinds = {_input(field) for field in model.model_fields.values()}
    return kinds.pop() if len(kinds) == 1 else "Any"


def main() -> int:
    """Write the file, or with --check only tell whether it is up to date."""
    wanted = text()
    if "--check" in sys.argv[1:]:
        if FILE.read_text(encoding="utf-8") == wanted:
            return 0
        sys.stderr.write(f"{FILE.name} is out of date: run python tools/build_args.py\n")
        return 1
    FILE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
