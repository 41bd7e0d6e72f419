"""What routes are given beside their documents."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str,
    Header(max_length=200, description="The same key with the same request gets the same answer for a day."),
]
