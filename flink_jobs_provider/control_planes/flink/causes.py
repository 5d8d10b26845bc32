"""Java's stack traces, cut down to what a person needs: the last cause."""

from __future__ import annotations

import re

from flink_jobs_provider.model.redaction import mask_foreign

_CAUSE = re.compile(r"^(?:Caused by: )?((?:[\w$]+\.)+[\w$]+)(?:: (.*))?$")
#: Causes that only wrap another; without a further cause they are still better than nothing.
_MAX_LENGTH = 500


#: How Flink names an option of its own command line, which nobody here uses.
_COMMAND_LINE_OPTION = re.compile(
    r"the --?allowNonRestoredState(?: \(short: -n\))?( option)?( on the CLI)?"
)
#: How a plan, and a run, end of a `main` that executes nothing (measured on 1.20.5 and 2.3.0).
_NO_JOB = re.compile(
    r"The program plan could not be fetched - the program aborted pre-?maturely"
    r"|No jobs included in application"
)


def last_cause(text: str) -> str:
    """Return the innermost cause of a stack trace as one line: class name and message.

    A REST error of Flink holds a whole trace as one string; what went wrong is the last
    "Caused by" (measured on 1.17 to 2.3). Lines without one are returned folded. What Flink
    words by its own classes alone is put in plain words before it. A program may put the address
    of its database into it, so credentials are masked.
    """
    lines = [line.strip() for line in text.replace("<", "").replace(">", "").splitlines()]
    starts = [i for i, line in enumerate(lines) if line.startswith("Caused by: ")]
    first = starts[-1] if starts else 0
    kept: list[str] = []
    for line in lines[first:]:
        if kept and (line.startswith(("at ", "... ", "Caused by: ", "Suppressed: ")) or not line):
            break
        kept.append(line)
    message = " ".join(" ".join(kept).split()).removeprefix("Caused by: ")
    message = message.removeprefix("Internal server error. ")
    message = message.removeprefix("Exception on server side: ")
    match = _CAUSE.match(message)
    if match:
        name, detail = match.group(1).rsplit(".", 1)[-1], match.group(2)
        message = f"{name}: {detail}" if detail else name
    if _NO_JOB.search(message):
        message = f"main has started no job: it must call execute() (Flink says: {message})"
    message = mask_foreign(_COMMAND_LINE_OPTION.sub("allow_non_restored_state", message))
    return message if len(message) <= _MAX_LENGTH else message[:_MAX_LENGTH] + "…"
