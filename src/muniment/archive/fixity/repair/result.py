"""What a repair says of one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of one place: `repaired`, or not; `how` it was done, or why it could not be.

    `repaired` is said only after another look found nothing wrong there any more.
    """

    where: str
    repaired: bool
    how: str
    instance: str = ""
    resource: str = ""
