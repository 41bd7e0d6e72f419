"""The one HTTP session of all sources: guarded addresses, retries, rate limits, resumed bodies, no secret shown."""

from __future__ import annotations

from muniment.sources.session.account import Account
from muniment.sources.session.body import Body
from muniment.sources.session.clock import Clock, SystemClock
from muniment.sources.session.guard import Guard
from muniment.sources.session.limits import Limits
from muniment.sources.session.redaction import Redactor, shown
from muniment.sources.session.reply import Answer
from muniment.sources.session.session import Session

__all__ = [
    "Account",
    "Answer",
    "Body",
    "Clock",
    "Guard",
    "Limits",
    "Redactor",
    "Session",
    "SystemClock",
    "shown",
]
