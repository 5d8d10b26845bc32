"""What was typed into a form whose session had ended when it was sent.

It is kept in this process, for a few minutes, and shown to nobody but the one whose form it was:
whoever has signed in again by the same name. The browser holds nothing of it but a random key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from flink_jobs_provider.gateway.portal.action_forms import Form
from flink_jobs_provider.gateway.portal.forms import KEY_FIELD
from flink_jobs_provider.gateway.portal.visit import Visit

#: Name of the field that says whose form it is.
OWNER_FIELD = "form_owner"
#: Name of the query parameter by which a form is found again.
KEPT = "kept"
#: Name of the button that sends a file along, which is not kept.
UPLOAD = "upload"
#: Seconds that a form is kept, and how many are.
_LIFETIME = 900.0
_MOST = 200


@dataclass(frozen=True)
class _KeptForm:
    owner: str
    path: str
    values: Mapping[str, str]
    until: float


class KeptForms:
    """Keeps forms until their owners have signed in again.

    Args:
        clock: Seconds that only ever grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._forms: OrderedDict[str, _KeptForm] = OrderedDict()

    def stamp(self, name: str) -> str:
        """Return what a form carries to say whose it is; nobody else can make it."""
        encoded = base64.urlsafe_b64encode(name.encode()).decode()
        return f"{encoded}.{self._mark(encoded)}"

    def owner(self, values: Mapping[str, str]) -> str:
        """Return whose form it is by its stamp; empty where it is nobody's."""
        encoded, _, mark = values.get(OWNER_FIELD, "").partition(".")
        if not hmac.compare_digest(mark.encode(), self._mark(encoded).encode()):
            return ""
        return base64.urlsafe_b64decode(encoded.encode()).decode()

    def keep(self, path: str, values: Mapping[str, str], *, of: str | None = None) -> str:
        """Keep a form; return the key by which it is found, empty where it is not kept.

        Args:
            path: Where it was sent.
            values: What its fields hold.
            of: The name of the one whose form it must be; None for anybody's.
        """
        owner = self.owner(values)
        if not owner or (of is not None and owner != of):
            return ""
        typed = {
            name: text
            for name, text in values.items()
            if name not in (KEY_FIELD, OWNER_FIELD, KEPT)
        }
        self._forget()
        key = secrets.token_urlsafe(24)
        self._forms[key] = _KeptForm(owner, path, typed, self._clock() + _LIFETIME)
        while len(self._forms) > _MOST:
            self._forms.popitem(last=False)
        return key

    def find(self, key: str, path: str, name: str) -> Mapping[str, str] | None:
        """Return what somebody had typed into a form; None where nothing of it is kept."""
        self._forget()
        found = self._forms.get(key)
        if found is None or (found.owner, found.path) != (name, path):
            return None
        return found.values

    def sent(self, key: str, path: str, name: str) -> None:
        """Forget a form that has been sent since, and was accepted."""
        if self.find(key, path, name) is not None:
            del self._forms[key]

    def _forget(self) -> None:
        now = self._clock()
        for key in [key for key, form in self._forms.items() if form.until <= now]:
            del self._forms[key]

    def _mark(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def restored(kept: KeptForms, request: Request, visit: Visit, form: Form) -> None:
    """Fill in what was typed before the session ended, and note that, or that it is not there."""
    key = request.query_params.get(KEPT)
    if key is None:
        return
    values = kept.find(key, request.url.path, visit.name)
    if values is None:
        form.note = visit.text("form.not_kept")
        return
    uploads = UPLOAD in values
    form.note = visit.text("form.kept_without_file") if uploads else visit.text("form.kept")
    form.kept = key
    form.values |= {name: values[name] for name in form.values if name in values}
