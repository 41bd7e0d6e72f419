"""Limits of a verification, and what one would cost: bytes, requests, money and time, known before it begins."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from muniment.content.durations import duration_text, parse_duration
from muniment.errors.base import BadInput, MunimentError
from muniment.workflows.copies.registry import StoreRecord
from muniment.workflows.copies.table import CopyRow

_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_LIMIT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(%|B|kB|MB|GB|TB|requests|cost)")
_GIGABYTE = 1e9
_THOUSAND = 1000
_WHOLE = 100


@dataclass(frozen=True, slots=True)
class Budget:
    """What a verification may use; None is no limit. `share` is of the bytes of all copies, from 0 to 1."""

    seconds: float | None = None
    bytes: float | None = None
    requests: float | None = None
    cost: float | None = None
    share: float | None = None

    def allows(self, used: Estimate, seconds: float) -> bool:
        """Whether anything is left after that much."""
        pairs = (
            (self.seconds, seconds),
            (self.bytes, used.bytes),
            (self.requests, used.requests),
            (self.cost, used.cost),
        )
        return all(limit is None or spent < limit for limit, spent in pairs)

    def of(self, total: int) -> Budget:
        """The same, with its share turned into bytes of `total`."""
        if self.share is None:
            return self
        return replace(self, share=None, bytes=min(self.share * total, self.bytes or math.inf))


@dataclass(frozen=True, slots=True)
class Estimate:
    """How much something is: copies, bytes, requests, money; seconds where the rate of each store is known."""

    copies: int = 0
    bytes: int = 0
    requests: int = 0
    cost: float = 0.0
    seconds: float | None = 0.0

    def plus(self, row: CopyRow, store: StoreRecord | None) -> Estimate:
        """With one copy more: each of its keys and its record is a request. What lies beside copies counts as none."""
        requests = row.keys + 1
        price = 0.0
        rate = None
        if store is not None:
            price = store.request_price * requests / _THOUSAND + store.read_price * row.size / _GIGABYTE
            rate = store.read_rate
        known = self.seconds is not None and rate
        return Estimate(
            self.copies + bool(row.resource),
            self.bytes + row.size,
            self.requests + requests,
            self.cost + price,
            self.seconds + row.size / rate if known and self.seconds is not None and rate else None,
        )

    def __str__(self) -> str:
        time = "unknown time" if self.seconds is None else duration_text(max(self.seconds, 1.0))
        cost = f", cost {self.cost:.2f}" if self.cost else ""
        return f"{self.copies} copies, {self.bytes / _GIGABYTE:.3f} GB, {self.requests} requests{cost}, {time}"


def parse_budget(words: Iterable[str]) -> Budget:
    """A budget from words such as `2h`, `5%`, `500GB`, `1000 requests`, `3.50 cost`.

    Raises:
        BadInput: One is none of these.
    """
    budget = Budget()
    for word in words:
        found = _LIMIT.fullmatch(word.strip())
        if found is None:
            try:
                budget = replace(budget, seconds=parse_duration(word))
            except MunimentError:
                reason = f"{word!r} is no budget: write 2h, 5%, 500GB, '1000 requests' or '3.50 cost'"
                raise BadInput(reason=reason) from None
            continue
        number = float(found[1])
        if found[2] == "%" and number > _WHOLE:
            raise BadInput(reason=f"{word!r} is more than all copies; the share of them is at most 100%")
        if found[2] == "%":
            budget = replace(budget, share=number / 100)
        elif found[2] == "requests":
            budget = replace(budget, requests=number)
        elif found[2] == "cost":
            budget = replace(budget, cost=number)
        else:
            budget = replace(budget, bytes=number * _BYTES[found[2]])
    return budget


def estimate(rows: Iterable[CopyRow], stores: Mapping[str, StoreRecord], budget: Budget | None = None) -> Estimate:
    """What verifying these copies takes, up to a budget."""
    total = Estimate()
    for row in rows:
        if budget is not None and not budget.allows(total, total.seconds or 0.0):
            break
        total = total.plus(row, stores.get(row.store))
    return total


def sample_size(population: int, confidence: float, share: float) -> int:
    """How many of `population` copies to verify so that, were at least `share` of them damaged, one would be found.

    `confidence` is the probability of that, both from 0 to 1: drawn without putting back, the chance that `n` of `N`
    copies miss all of `D` damaged ones is (N-D)!(N-n)! / (N! (N-D-n)!).

    Raises:
        BadInput: They are not between 0 and 1.
    """
    if not (0 < confidence < 1 and 0 < share < 1):
        raise BadInput(reason="a confidence and a share are between 0 and 100 %, such as 95%/1%")
    damaged = max(1, math.ceil(population * share))
    missed, drawn = 1.0, 0
    while drawn < population and missed > 1 - confidence:
        missed *= max(0, population - damaged - drawn) / (population - drawn)
        drawn += 1
    return drawn


def parse_sample(text: str) -> tuple[float, float]:
    """Confidence and share of `95%/1%`.

    Raises:
        BadInput: It is not that.
    """
    found = re.fullmatch(r"([0-9.]+)%/([0-9.]+)%", text.replace(" ", ""))
    if found is None:
        raise BadInput(reason=f"{text!r} is no sample: write a confidence and a share, such as 95%/1%")
    return float(found[1]) / 100, float(found[2]) / 100
