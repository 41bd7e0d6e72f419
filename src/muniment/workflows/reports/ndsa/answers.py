"""What an archive cannot know of itself and somebody answers for: a small TOML file with who said it and when.

```toml
[stores.archive]                 # the archive's own folder
place = "Graz"
threat = "flood of the river"    # the disaster that is likeliest there
provider = "our own machine"
until = 2030-12-31               # when the medium should have been replaced
needs = "Debian 12, ext4"        # what it takes to read it

[stores.vault]
place = "Linz"

[answers.integrity-2-2]
met = true
who = "Ada Lovelace"
when = 2026-11-01
note = "a write blocker stands at the accession open_transactions"
```
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import NoReturn, Self

from muniment.errors.reports import BadAnswers

VALID_DAYS = 366
"""An answer counts for a year: who gave it looks again."""


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What is said of one store."""

    place: str = ""
    threat: str = ""
    provider: str = ""
    needs: str = ""
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody attests about one criterion."""

    met: bool
    who: str
    when: date
    note: str = ""

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {"met": self.met, "who": self.who, "when": self.when.isoformat(), "note": self.note}


@dataclass(frozen=True, slots=True)
class Answers:
    """All that is attested."""

    stores: Mapping[str, StoreAnswer] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, known: frozenset[str], today: date) -> Self:
        """Read the file; `known` are the names of criteria that can be answered.

        Raises:
            BadAnswers: It cannot be read, or an answer is not one.
        """
        try:
            said = tomllib.loads(path.read_text("utf-8"))
            if unknown := said.keys() - {"stores", "answers"}:
                _refuse(f"nothing is called {min(unknown)!r} in it")
            stores = {name: _store(name, each) for name, each in _table(said, "stores").items()}
            answers = {name: _answer(name, each, known, today) for name, each in _table(said, "answers").items()}
        except OSError as error:
            raise BadAnswers(path=path, reason=error.strerror or str(error)) from error
        except ValueError as error:
            raise BadAnswers(path=path, reason=str(error)) from error
        return cls(stores, answers)


def _table(said: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = said.get(name, {})
    if not isinstance(found, dict):
        _refuse(f"{name} is no table")
    return dict(found)


def _store(name: str, said: object) -> StoreAnswer:
    if not isinstance(said, dict):
        _refuse(f"stores.{name} is no table")
    if unknown := said.keys() - {each.name for each in fields(StoreAnswer)}:
        _refuse(f"nothing is called {min(unknown)!r} in stores.{name}")
    for key, value in said.items():
        if type(value) is not (date if key == "until" else str):
            _refuse(f"stores.{name}.{key} is not {'a date' if key == 'until' else 'a text'}")
    return StoreAnswer(**said)


def _answer(name: str, said: object, known: frozenset[str], today: date) -> Answer:
    if name not in known:
        _refuse(f"{name} is not answered by people, or is no criterion")
    if not isinstance(said, dict) or said.keys() - {"met", "who", "when", "note"}:
        _refuse(f"answers.{name} is a table with met, who, when and note")
    met, who, when, note = said.get("met"), said.get("who"), said.get("when"), said.get("note", "")
    if not isinstance(met, bool) or not isinstance(who, str) or not who.strip() or not isinstance(note, str):
        _refuse(f"answers.{name} says with met whether it is, and with who who says so")
    if type(when) is not date or when > today:
        _refuse(f"answers.{name} says with when on which day that was, such as 2026-11-01")
    return Answer(met, who, when, note)


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)
