"""What others do to a job while somebody has a form of it open: it is said, and it is kept.

A form carries a digest of each of its fields. When the job has another version by the time that the
form is sent, fields that were left as they were first shown take what the job has now; what was
typed stays. The digests are of what the page itself shows, so that they tell nothing more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from flink_jobs_provider.gateway.apis.job_inputs import masked_text
from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.gateway.portal.action_forms import VERSION_FIELDS, Form
from flink_jobs_provider.gateway.portal.templating import utc
from flink_jobs_provider.gateway.portal.text import Text

#: Name of the field that carries the digests.
FIRST_SHOWN = "first_shown"
_DIGITS = 16


def first_shown(values: Mapping[str, str]) -> str:
    """Return what a form carries of the fields of a version that it shows."""
    return " ".join(f"{name}={_digest(values[name])}" for name in VERSION_FIELDS if name in values)


def take_over(form: Form, now: Mapping[str, str], whole: Mapping[str, str], text: Text) -> None:
    """Take over into a form what the job has now, in all fields that were not edited.

    Fields that were edited here and changed there are noted as problems.

    Args:
        form: The form as it was sent.
        now: What the fields show of the job as it is now.
        whole: The same with its secrets.
        text: The language of the problems.
    """
    first = dict(_pairs(form.values[FIRST_SHOWN]))
    for name in [each for each in VERSION_FIELDS if each in form.values and each in first]:
        typed, current = form.values[name], now.get(name, "")
        unchanged = first[name] in (_digest(current), _digest(whole.get(name, "")))
        if _digest(typed) == first[name]:
            form.values[name] = typed if unchanged else current
        elif not unchanged and _digest(typed) != _digest(current):
            form.refuse(name, text("problem.both", now=current or "-"))
    form.values[FIRST_SHOWN] = first_shown({**form.values, **now})


def in_progress(last: ActionRow, text: Text) -> str:
    """Return who is at it, since when, and how far, for somebody who came second."""
    action, since = text.word("action", last.action), utc(last.accepted_at)
    said = text("problem.busy", action=action, who=last.caller, since=since)
    return f"{said} {masked_text(last.output)}".rstrip()


def meanwhile(last: ActionRow, text: Text) -> str:
    """Return who has acted on the job since a form of it was opened, and when."""
    action, since = text.word("action", last.action), utc(last.accepted_at)
    return text("problem.meanwhile", action=action, who=last.caller, since=since)


def _pairs(carried: str) -> Iterable[tuple[str, str]]:
    return [(name, mark) for name, _, mark in (each.partition("=") for each in carried.split())]


def _digest(value: str) -> str:
    """Return a digest of a field's value; browsers change line ends, and blanks do not count."""
    return hashlib.sha256(" ".join(value.split()).encode()).hexdigest()[:_DIGITS]
