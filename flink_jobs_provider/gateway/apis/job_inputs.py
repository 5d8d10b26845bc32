"""Inputs of a job as callers write them: arguments, Flink options, places that a cluster resolves.

How they are read, and how they are masked for a caller who may only read. Masking goes by names,
and rather masks too much: `password`, `secret`, `token`, `credential` anywhere in a name, `key`,
`pass` and `pwd` as a word of it. Credentials in URLs and bearer tokens are masked in any case.

Jobs may be as long as a request is, and lists show many: the time grows as the text does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flink_jobs_provider.gateway.http.property_problems import Problem, RefusedProperties
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration, Mounts
from flink_jobs_provider.model.inputs import scalar_text
from flink_jobs_provider.model.redaction import HIDDEN, mask_tokens, mask_user_info
from flink_jobs_provider.model.validation import problems_of

#: Schemes of the file systems that Flink has (Flink 2.3, "File Systems").
_OF_FLINK = {
    *("file", "hdfs", "viewfs", "s3", "s3a", "s3p", "gs", "oss", "obs"),
    *("abfs", "abfss", "wasb", "wasbs"),
}
#: How many options of Flink one job may set.
MOST_OPTIONS = 500
#: By these options a job leaves state that none of its operators claims.
IGNORE_UNCLAIMED = (
    "execution.savepoint.ignore-unclaimed-state",
    "execution.state-recovery.ignore-unclaimed-state",
)
_ANYWHERE = re.compile(r"passw|passphrase|secret|token|credential|apikey|accesskey", re.IGNORECASE)
_WORDS = {"key", "keys", "pass", "pwd", "sig", "signature", "jaas"}
#: Where a word of a name begins: after a separator, or with a capital letter.
_WORD = re.compile(r"[A-Z]*[a-z0-9]+|[A-Z]+")
#: A name and what is between it and its value, as in `a=b`, `"a": "b"`, `a = 'b'`.
_NAMED = re.compile(r"""(?<![\w.-])([\w.-]++)["']?[ \t]{0,8}[=:][ \t]{0,8}""")
_VALUE = re.compile(r"""\"[^"]*"|'[^']*'|["']?[^\s&;,"'}\])]+""")
#: Words of a header that credentials follow.
_SCHEMES = ("bearer", "basic")
_WHOLE_NAME = re.compile(r"-*[\w.-]+")


def input_problems(
    cluster: ClusterConfiguration,
    job_name: str,
    inputs: Mapping[str, Any],
    names: Mapping[str, str],
    *,
    recorded: bool = False,
) -> list[tuple[str, str]]:
    """Return what the model finds invalid of some inputs of a job: (input, what would be valid).

    Args:
        cluster: The job's cluster.
        job_name: Its name there.
        inputs: The inputs by name; None is as not given.
        names: What an option that an input replaces is to be given by.
        recorded: Whether some were recorded before.
    """
    given = {name: value for name, value in inputs.items() if value is not None}
    whole = {"owner": cluster.key, "job_name": job_name, "jar": "file:///job.jar", **given}
    return problems_of({"target": cluster.flink, **whole}, recorded=recorded, names=names)


def place_on_flink(uri: str, mounts: Mounts, target: str) -> str:
    """Return where the cluster finds what a caller names.

    A cluster reaches storages of its own that the gateway need not reach, so a place below no
    mount is left as it is, if it is one of Flink's file systems at all.

    Raises:
        RefusedProperties: It is no such place, or leads out of where it seems to lead.
    """
    scheme, absolute = _scheme(uri)
    if not absolute or scheme not in _OF_FLINK:
        allowed = ", ".join(sorted(_OF_FLINK))
        what = "an absolute path, or a URI of a file system of Flink's"
        raise RefusedProperties([Problem(target, f"{target} must be {what} ({allowed}).")])
    if {".", ".."} & set(re.split(r"/|%2[fF]", uri.replace("%2e", ".").replace("%2E", "."))):
        raise RefusedProperties([Problem(target, f"{target} must not hold . or .. as a name.")])
    try:
        mounted = mounts.resolve(uri, target)
    except Refusal:
        return uri
    return mounted if _scheme(mounted)[0] in _OF_FLINK else uri


def _scheme(uri: str) -> tuple[str, bool]:
    """Return the scheme in lower case, and whether the URI has an absolute path."""
    if uri.startswith("/"):
        return "file", True
    scheme, colon, rest = uri.partition(":")
    return scheme.lower(), bool(colon) and rest.startswith("/")


def take_unclaimed(options: dict[str, str], prefix: str, problems: list[Problem]) -> bool:
    """Remove the options by which unclaimed state is dropped; return whether it is.

    Args:
        options: Flink options; those taken are removed.
        prefix: What the paths of properties begin with, for the problems.
        problems: Where a value that is neither true nor false is added.
    """
    found = False
    for key in (key for key in IGNORE_UNCLAIMED if key in options):
        value = options.pop(key).lower()
        if value not in ("true", "false"):
            path = f"{prefix}{key}"
            problems.append(Problem(path, f"{path} must be true or false."))
        found |= value == "true"
    return found


def as_texts(options: Mapping[str, object]) -> dict[str, str]:
    """Write the values of options as Flink's configuration does."""
    return {key: str(scalar_text(value)) for key, value in options.items()}


def names_secret(name: str) -> bool:
    """Whether the value of that name is to be masked."""
    if _ANYWHERE.search(name):
        return True
    return any(word.lower() in _WORDS for word in _WORD.findall(name))


def masked_text(text: str) -> str:
    """Return a text in which the values of secret names, and credentials in URLs, are masked."""
    parts, at = [], 0
    for begin, end in _secret_values(text):
        quote = text[begin] if text[begin] in "\"'" else ""
        parts += [text[at:begin], quote, HIDDEN, quote]
        at = end
    return mask_tokens(mask_user_info("".join([*parts, text[at:]])))


def masked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return Flink options with masked values."""

    def masked(name: str, value: Any) -> Any:
        if names_secret(name):
            return HIDDEN
        return masked_text(value) if isinstance(value, str) else value

    return {name: masked(name, value) for name, value in options.items()}


def masked_args(args: str) -> str:
    """Return arguments with masked values: of `--password x` as of `--password=x`.

    They are told apart as where they are started: by white space of any kind.
    """
    parts = re.split(r"(\s+)", args)
    parts[::2] = _masked_each(parts[::2])
    return "".join(parts)


def _masked_each(args: Iterable[str]) -> Iterable[str]:
    # How an argument begins that is no secret value, though one may follow; None where none may.
    shown: str | None = None
    for arg in args:
        if shown is not None and arg and not arg.startswith(shown):
            shown = None
            yield HIDDEN
            continue
        if arg:
            shown = _shown_after(arg)
        name, equals, _ = arg.partition("=")
        whole = equals and _WHOLE_NAME.fullmatch(name) and names_secret(name)
        yield f"{name}={HIDDEN}" if whole else masked_text(arg)


def _shown_after(arg: str) -> str | None:
    """Return what the argument after one begins with where it is shown; None where it is anyway."""
    if arg.startswith("-") and not ("=" in arg or ":" in arg) and names_secret(arg):
        return "--"
    return "-" if arg.strip("\"'").lower() in _SCHEMES else None


def _secret_values(text: str) -> Iterator[tuple[int, int]]:
    """Return where the values of secret names begin and end."""
    at = 0
    while named := _NAMED.search(text, at):
        at = named.end()
        value = _VALUE.match(text, at) if names_secret(named[1]) else None
        if value:
            at = value.end()
            yield value.span()
