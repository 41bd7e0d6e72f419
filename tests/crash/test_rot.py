"""Random rot in every kind of file: named or harmless, repaired where parity reaches, and no wrong byte comes out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest

from tests.crash.rot import Campaign, Case
from tests.crash.scenes import workshop

MODES = ("dynamic", "preservation", "worm")
SAMPLE, ALL = 40, 2_000


def damages(seeds: Iterable[int], wanted: int) -> list[Case]:
    """So many damages, the modes in turn."""
    cases: list[Case] = []
    with workshop() as folder:
        campaigns = [Campaign(folder, mode) for mode in MODES]
        for seed in seeds:
            case = campaigns[seed % len(MODES)].case(seed)
            if case:
                cases.append(case)
            if len(cases) == wanted:
                break
    return cases


def table(cases: list[Case]) -> str:
    """Kind of file by what was said of its damage, and after a repair."""
    columns = ("named", "put right", "harmless", "unnoticed", "all right", "left", "at fault")
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for case in cases:
        for row in (case.kind, "all of them"):
            rows[row].update([case.result, case.repaired, *(["at fault"] if case.faults else [])])
    lines = [f"{'':20}" + "".join(f"{column:>11}" for column in columns)]
    lines += [
        f"{kind:20}" + "".join(f"{count[column]:>11}" for column in columns) for kind, count in sorted(rows.items())
    ]
    return "\n".join(lines)


def assert_no_fault(cases: list[Case]) -> None:
    faulty = [f"{case.kind}, {case.way}, {case.place}: {fault}" for case in cases for fault in case.faults]
    assert faulty == [], "\n".join(faulty)


def test_some_random_damages_are_named_and_do_no_harm() -> None:
    cases = damages(range(10_000), SAMPLE)
    assert len({case.kind for case in cases}) > 10
    assert len({case.way for case in cases}) > 12
    assert_no_fault(cases)


@pytest.mark.nightly
def test_two_thousand_random_damages_are_named_and_do_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    cases = damages(range(100_000, 200_000), ALL)
    with capsys.disabled():
        print(f"\n{len(cases)} damages\n{table(cases)}")
    assert len(cases) == ALL
    assert_no_fault(cases)
