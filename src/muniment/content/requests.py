"""Requests made of an object store, and what they cost at its prices."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from muniment.errors.base import BadInput

_THOUSAND = 1_000
_GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """How many requests were made, as services bill them; tries that failed count too.

    `writes` are puts, copies, parts and listings; `reads` gets and questions about a key; `removals` cost nothing
    anywhere. `received` are bytes that came.
    """

    writes: int = 0
    reads: int = 0
    removals: int = 0
    received: int = 0

    def __add__(self, other: RequestCounts) -> RequestCounts:
        return RequestCounts(
            self.writes + other.writes,
            self.reads + other.reads,
            self.removals + other.removals,
            self.received + other.received,
        )

    def __sub__(self, other: RequestCounts) -> RequestCounts:
        return RequestCounts(
            self.writes - other.writes,
            self.reads - other.reads,
            self.removals - other.removals,
            self.received - other.received,
        )

    def as_json(self) -> dict[str, int]:
        """By their names."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Prices:
    """What a service asks for, in whatever money: for a thousand writes, a thousand reads, a gigabyte received."""

    writes: float = 0.0
    reads: float = 0.0
    received: float = 0.0

    @property
    def known(self) -> bool:
        """Whether any was named."""
        return bool(self.writes or self.reads or self.received)

    def cost(self, counts: RequestCounts) -> float:
        """What requests cost."""
        asked = (self.writes * counts.writes + self.reads * counts.reads) / _THOUSAND
        return asked + self.received * counts.received / _GIGABYTE


def parse_prices(text: str) -> Prices:
    """Prices as one writes them: `0.005 0.0004 0.09`, a thousand writes, a thousand reads, a gigabyte received.

    Raises:
        BadInput: They are none.
    """
    try:
        writes, reads, received = (float(word) for word in text.split())
    except ValueError:
        writes = reads = received = -1.0
    if not all(0 <= price < 1e9 for price in (writes, reads, received)):  # noqa: PLR2004 - whatever money
        reason = f"prices are three numbers, for 1,000 writes, 1,000 reads and 1 GB received, not {text!r}"
        raise BadInput(reason=reason)
    return Prices(writes, reads, received)
