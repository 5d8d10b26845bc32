"""What a caller who may only read is not shown: values that a name calls a secret.

Arguments and Flink options are free texts, so this goes by their names, and rather masks too much:
`password`, `secret`, `token`, `credential` anywhere in a name, `key`, `pass` and `pwd` as a word of
it. Credentials in URLs and bearer tokens are masked whatever the name.

Jobs may be as long as a request is, and lists show many: the time grows as the text does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from flink_jobs_provider.model.redaction import HIDDEN, mask_tokens, mask_user_info

_ANYWHERE = re.compile(r"passw|passphrase|secret|token|credential|apikey|accesskey", re.IGNORECASE)
_WORDS = {"key", "keys", "pass", "pwd", "sig", "signature", "jaas"}
#: Where a word of a name begins: after a separator, or with a capital letter.
_WORD = re.compile(r"[A-Z]*[a-z0-9]+|[A-Z]+")
#: A name and what is between it and its value, as in `a=b`, `"a": "b"`, `a = 'b'`.
_NAMED = re.compile(r"""(?<![\w.-])([\w.-]++)["']?[ \t]{0,8}[=:][ \t]{0,8}""")
_VALUE = re.compile(r"""\"[^"]*"|'[^']*'|["']?[^\s&;,"'}\])]+""")
_WHOLE_NAME = re.compile(r"-*[\w.-]+")


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


def masked_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return Flink options with masked values."""
    return {
        name: HIDDEN if names_secret(name) else masked_text(value)
        for name, value in options.items()
    }


def masked_args(args: str) -> str:
    """Return arguments with masked values: of `--password x` as of `--password=x`."""
    return " ".join(_masked_each(args.split(" ")))


def _masked_each(args: Iterable[str]) -> Iterable[str]:
    hides_next = False
    for arg in args:
        begins_name = arg.startswith("-")
        if hides_next and arg and not arg.startswith("--"):
            hides_next = False
            yield HIDDEN
            continue
        if arg:
            hides_next = begins_name and not ("=" in arg or ":" in arg) and names_secret(arg)
        name, equals, _ = arg.partition("=")
        whole = equals and _WHOLE_NAME.fullmatch(name) and names_secret(name)
        yield f"{name}={HIDDEN}" if whole else masked_text(arg)


def _secret_values(text: str) -> Iterator[tuple[int, int]]:
    """Return where the values of secret names begin and end."""
    at = 0
    while named := _NAMED.search(text, at):
        at = named.end()
        value = _VALUE.match(text, at) if names_secret(named[1]) else None
        if value:
            at = value.end()
            yield value.span()
