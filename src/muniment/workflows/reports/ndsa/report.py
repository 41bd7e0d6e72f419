"""The report: every criterion judged, and the level each area has reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from muniment.workflows.reports.ndsa.answers import VALID_DAYS, Answer, Answers
from muniment.workflows.reports.ndsa.criteria import AREAS, CRITERIA, Criterion, Judgement
from muniment.workflows.reports.ndsa.facts import Facts

HIGHEST = 4
LEVELS = "NDSA 2.0 (2019)"
"""What is judged by."""


@dataclass(frozen=True, slots=True)
class Result:
    """One criterion, what was found, and what was attested where nothing can be found."""

    criterion: Criterion
    judgement: Judgement
    answer: Answer | None = None

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "name": self.criterion.name,
            "level": self.criterion.level,
            "text": self.criterion.text,
            "met": self.judgement.met,
            "fact": self.judgement.fact,
            "to do": self.judgement.advice,
            "attested": self.answer.as_json() if self.answer else None,
        }


@dataclass(frozen=True, slots=True)
class AreaResult:
    """One area: the level of which, and of all below it, every criterion is met; 0 for none."""

    area: str
    level: int
    results: tuple[Result, ...]

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {"area": self.area, "level": self.level, "criteria": [each.as_json() for each in self.results]}


def judge(facts: Facts, answers: Answers) -> list[AreaResult]:
    """Judge every area by the facts, and by what was attested where there can be none."""
    found = [_result(each, facts, answers) for each in CRITERIA]
    return [_area(area, [each for each in found if each.criterion.area == area]) for area in AREAS]


def _area(area: str, results: Sequence[Result]) -> AreaResult:
    level = 0
    while level < HIGHEST and all(each.judgement.met for each in results if each.criterion.level == level + 1):
        level += 1
    return AreaResult(area, level, tuple(results))


def _result(criterion: Criterion, facts: Facts, answers: Answers) -> Result:
    if criterion.judge is not None:
        return Result(criterion, criterion.judge(facts, answers))
    answer = answers.answers.get(criterion.name)
    say = f"Then say so: `[answers.{criterion.name}]` with met, who and when."
    if answer is None:
        fact = "this cannot be computed, and nobody answered for it"
        return Result(criterion, Judgement(None, fact, f"{criterion.advice} {say}"))
    age = datetime.fromtimestamp(facts.now, UTC).date() - answer.when
    if age > timedelta(days=VALID_DAYS):
        fact = f"{answer.who} answered for it on {answer.when}, which is over a year ago"
        return Result(criterion, Judgement(None, fact, f"Look again. {say}"), answer)
    fact = f"attested by {answer.who} on {answer.when}{answer.note and f': {answer.note}'}"
    return Result(criterion, Judgement(answer.met, fact, "" if answer.met else criterion.advice), answer)
