"""The newest figures of a portal after many days, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.database import Database
from muniment.doors.ckan.counters import DAY, LinkState, Tally
from muniment.doors.ckan.report import Reports
from muniment.jobs import Ledger

_NAMES = ["Zürich", "a", "B", "", "b%_", "waterways"]


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    place = str(tmp_path / "control.db") if request.param == "SQLite" else request.getfixturevalue("place")
    with Database.open(place, migrate=True) as opened:
        yield opened


def test_of_every_name_the_newest_day_counts_whenever_it_was(database: Database) -> None:
    reports = Reports(Ledger(database))
    assert reports.by("city", "organization") == []
    for day in range(5):
        for portal in ("city", "other"):
            tally = Tally(portal, day * DAY)
            for number, name in enumerate(_NAMES):
                if day <= number:  # each has its last change on a day of its own
                    tally.link(None, LinkState(name, "host.example", 11, is_broken=True, kept=False, size=0))
            database.write(tally.apply)
    found = {each["name"]: each["broken"] for each in reports.by("city", "organization")}
    assert found == {name: min(number + 1, 5) for number, name in enumerate(_NAMES)}
    assert reports.totals("city")["broken"] == sum(found.values())
    assert [each["name"] for each in reports.by("city", "host")] == ["host.example"]
    assert reports.by("none", "organization") == []
