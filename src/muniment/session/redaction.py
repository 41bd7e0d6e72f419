"""Keeping secrets out of everything that is written down."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, urlsplit

_HIDDEN = "[hidden]"
_SHORTEST = 4


class Redactor:
    """Replaces secrets in text, as they are, percent-encoded, in Base64 and as a Basic password."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) >= _SHORTEST:  # a shorter one would blank half of every sentence
                forms |= {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), repr(secret)[1:-1]}
                forms.add(base64.b64encode(secret.encode()).decode())
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """`text` without the secrets."""
        for form in self._forms:
            text = text.replace(form, _HIDDEN)
        return text


def shown(url: str) -> str:
    """A URL as it may be written down: without user, query and fragment, where tokens and signatures travel."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"
