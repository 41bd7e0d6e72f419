"""The one HTTP session of all who call services: guarded addresses, retries, limits, resumption, no secret shown."""

from __future__ import annotations

from muniment.session.account import Account
from muniment.session.body import Body
from muniment.session.clock import Clock, SystemClock
from muniment.session.guard import Guard
from muniment.session.limits import Limits
from muniment.session.redaction import Redactor, shown
from muniment.session.reply import Answer
from muniment.session.session import Session

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
