"""Keep secrets out of what is shown."""

import re
from collections.abc import Iterable

from flink_jobs_provider.engine.values import SECRET_TEXT

_SHORTEST = 3  # shorter ones are parts of too many words, and secret to nobody


class Redactor:
    """Replace secret texts wherever they turn up."""

    def __init__(self, secrets: Iterable[str]) -> None:
        texts = {text for secret in secrets for text in (secret, *secret.splitlines())}
        worth = sorted((text for text in texts if len(text) >= _SHORTEST), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, worth))) if worth else None

    def redact(self, text: str) -> str:
        """Give the text without secrets."""
        return self._pattern.sub(SECRET_TEXT, text) if self._pattern else text
