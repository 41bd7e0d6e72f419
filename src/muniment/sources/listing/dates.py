"""Times in the lines of listings, in the forms that servers write them. A time without a zone counts as UTC."""

from __future__ import annotations

import re
from datetime import datetime

from muniment.sources.times import rfc3339

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?"
_FORMS = tuple(
    (re.compile(pattern), forms)
    for pattern, forms in (
        (rf"\b\d{{4}}-\d{{2}}-\d{{2}}[ T]{_CLOCK}", ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")),
        (rf"\b\d{{1,2}}-{_MONTH}-\d{{4}} {_CLOCK}", ("%d-%b-%Y %H:%M", "%d-%b-%Y %H:%M:%S")),
        (rf"\b\d{{4}}-{_MONTH}-\d{{2}} {_CLOCK}", ("%Y-%b-%d %H:%M", "%Y-%b-%d %H:%M:%S")),
        (rf"\b{_MONTH} \d{{1,2}}, \d{{4}},? {_CLOCK} ?[AP]M", ("%b %d, %Y %I:%M %p", "%b %d, %Y %I:%M:%S %p")),
        # With a.m. and p.m. the month comes first; other orders cannot be told apart.
        (rf"\b\d{{1,2}}/\d{{1,2}}/\d{{4}} {_CLOCK} ?[AP]M", ("%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p")),
    )
)


def time_in(text: str) -> tuple[str | None, str]:
    """The first time in a line's text as RFC 3339, or None; and the text without it."""
    text = " ".join(text.split())
    for pattern, forms in _FORMS:
        if match := pattern.search(text):
            said = re.sub(r"(?<=\d)(?=[AP]M$)", " ", match[0].replace("T", " ", 1)).replace(",  ", ", ")
            said = re.sub(r"(\d{4}), ", r"\1 ", said)
            return next(filter(None, (_read(said, form) for form in forms)), None), text.replace(match[0], " ", 1)
    return None, text


def _read(text: str, form: str) -> str | None:
    try:
        return rfc3339(datetime.strptime(text, form).isoformat())  # noqa: DTZ007 - listings name no zone
    except ValueError:
        return None
