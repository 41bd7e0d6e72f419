"""What routes are given beside their documents, and what no document may hold."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Header

from muniment.errors.base import BadInput

IdempotencyKey = Annotated[
    str,
    Header(max_length=200, description="The same key with the same request gets the same answer for a day."),
]


def refuse_unwritable(record: dict[str, Any]) -> None:
    """Refuse what cannot be written down as JSON in UTF-8.

    Raises:
        BadInput: It holds half a surrogate pair, a number that is none, or is nested too deep.
    """
    try:
        json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise BadInput(reason=f"what is said cannot be written as JSON: {error}") from error
