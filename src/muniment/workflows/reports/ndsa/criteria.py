"""The criteria of the levels, in words of our own, each with what its answer is computed from and what to do.

Source: NDSA Levels of Digital Preservation, version 2.0 (2019): five areas, four levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from muniment.workflows.reports.ndsa.answers import Answers, StoreAnswer
from muniment.workflows.reports.ndsa.facts import Facts

_DAY = 86400.0
_AUDIT_DAYS = 90
_BACKUP_DAYS = 8
_NOTHING = StoreAnswer()


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a criterion is met (None: that cannot be computed), by what fact, and what to do if it is not."""

    met: bool | None
    fact: str
    advice: str = ""


Judge = Callable[[Facts, Answers], Judgement]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion. Without `judge` a person answers for it."""

    area: str
    level: int
    number: int
    text: str
    judge: Judge | None = None
    advice: str = ""

    @property
    def name(self) -> str:
        """Its name: `storage-1-2`."""
        return f"{self.area}-{self.level}-{self.number}"


AREAS = ("storage", "integrity", "control", "metadata", "content")


def _places(answers: Answers, where: frozenset[str], field: str) -> set[str]:
    return {said for name in where if (said := getattr(answers.stores.get(name, _NOTHING), field))}


def _copies(facts: Facts, answers: Answers, least: int, field: str, differing: int) -> Judgement:
    """Whether every resource has so many complete copies, with so many different answers to `field` among them."""
    if not facts.resources:
        return Judgement(None, "the archive holds nothing yet", "Add something.")
    fewest = min(len(where) for where in facts.kept_in)
    fact = f"every resource is complete and verified in time in {fewest} or more, the archive counted"
    if fewest < least:
        advice = (
            f"Add stores (`muniment store add`) and a policy (`muniment policy set`) until there are {least}, then run "
            "`muniment copies make` and `muniment copies verify`; `muniment copies` says what each resource lacks."
        )
        return Judgement(met=False, fact=fact, advice=advice)
    found = min((_places(answers, where, field) for where in facts.kept_in), key=len)
    if len(found) >= differing:
        return Judgement(met=True, fact=f"{fact}; {field}: {', '.join(sorted(found))}")
    untold = {name for where in facts.kept_in for name in where} - {
        name for name, said in answers.stores.items() if getattr(said, field)
    }
    if untold:
        names = ", ".join(sorted(untold))
        return Judgement(None, f"{fact}; nobody said the {field} of {names}", f"Say it: `[stores.NAME] {field} = …`.")
    return Judgement(
        met=False,
        fact=f"{fact}; but all are the same: {field} {', '.join(sorted(found)) or 'unknown'}",
        advice=f"Keep a copy where the {field} is another.",
    )


def _told(field: str, advice: str) -> Judge:
    """A judge that asks whether something is said of every store."""

    def judge(facts: Facts, answers: Answers) -> Judgement:
        untold = sorted(name for name in facts.media if not getattr(answers.stores.get(name, _NOTHING), field))
        kinds = ", ".join(f"{name}: {kind}" for name, kind in sorted(facts.media.items()))
        if untold:
            return Judgement(met=False, fact=f"{kinds}; the {field} of {', '.join(untold)} is not said", advice=advice)
        return Judgement(met=True, fact=kinds)

    return judge


def _stable(facts: Facts, answers: Answers) -> Judgement:
    del answers
    if facts.leftovers:
        advice = "Close them: `muniment recover --replay` or `--rollback`."
        return Judgement(met=False, fact=f"{facts.leftovers} unfinished transactions hold content", advice=advice)
    return Judgement(met=True, fact="all content is committed; nothing lies in unfinished transactions")


def _other_medium(facts: Facts, answers: Answers) -> Judgement:
    del answers
    if not facts.resources:
        return Judgement(None, "the archive holds nothing yet", "Add something.")
    fewest = min(len({facts.media.get(name, "unknown") for name in where}) for where in facts.kept_in)
    met = fewest > 1
    kinds = ", ".join(sorted(set(facts.media.values())))
    return Judgement(
        met, f"kinds of media in use: {kinds}", "" if met else "Keep a copy on another kind: object storage or tape."
    )


def _media_watched(facts: Facts, answers: Answers) -> Judgement:
    today = datetime.fromtimestamp(facts.now, UTC).date()
    ends: dict[str, date | None] = {name: answers.stores.get(name, _NOTHING).until for name in facts.media}
    untold = sorted(name for name, end in ends.items() if end is None)
    over = sorted(name for name, end in ends.items() if end is not None and end < today)
    if untold or over:
        said = [f"no date for {', '.join(untold)}"] * bool(untold) + [f"over for {', '.join(over)}"] * bool(over)
        advice = "Say when each medium should be replaced (`until`), and replace those whose day is over."
        return Judgement(met=False, fact="; ".join(said), advice=advice)
    return Judgement(met=True, fact="; ".join(f"{name} until {end}" for name, end in sorted(ends.items())))


def _diverse(facts: Facts, answers: Answers) -> Judgement:
    if not facts.resources:
        return Judgement(None, "the archive holds nothing yet", "Add something.")
    advice = "Keep two copies that share neither medium nor provider, and say the providers (`provider`)."
    for where in facts.kept_in:
        pairs = ((one, other) for one in where for other in where if one < other)
        if not any(_differ(facts, answers, one, other) for one, other in pairs):
            fact = f"no two copies in {', '.join(sorted(where))} are known to differ in medium and provider"
            return Judgement(met=False, fact=fact, advice=advice)
    return Judgement(met=True, fact="every resource has two copies that share neither medium nor provider")


def _differ(facts: Facts, answers: Answers, one: str, other: str) -> bool:
    providers = [answers.stores.get(name, _NOTHING).provider for name in (one, other)]
    return all(providers) and providers[0] != providers[1] and facts.media.get(one) != facts.media.get(other)


def _always(fact: str) -> Judge:
    """A judge of what the program does in any case."""

    def judge(facts: Facts, answers: Answers) -> Judgement:
        del facts, answers
        return Judgement(met=True, fact=fact)

    return judge


def _nothing_in(field: str, good: str, bad: str, advice: str) -> Judge:
    """A judge for whom a list of what is wrong must be empty."""

    def judge(facts: Facts, answers: Answers) -> Judgement:
        del answers
        if not facts.resources:
            return Judgement(None, "the archive holds nothing yet", "Add something.")
        found = getattr(facts, field)
        return Judgement(not found, good if not found else f"{bad}: {found}", advice if found else "")

    return judge


def _read_back(facts: Facts, answers: Answers) -> Judgement:
    del answers
    copies = max((len(where) for where in facts.kept_in), default=0) - 1
    if copies < 1:
        return Judgement(met=False, fact="there are no complete copies", advice="Make copies: `muniment copies make`.")
    if facts.unread:
        advice = "Run `muniment copies verify`."
        return Judgement(met=False, fact=f"copies that were not read back: {facts.unread}", advice=advice)
    return Judgement(met=True, fact="every copy was read back when it was made, with an event")


def _digests_apart(facts: Facts, answers: Answers) -> Judgement:
    del answers
    if facts.resources and all(len(where) > 1 for where in facts.kept_in):
        return Judgement(met=True, fact="manifests and inventories are in every copy, and every resource has one")
    advice = "Make a copy of every resource in a store: `muniment copies make`."
    return Judgement(met=False, fact="some resources, and their digests, are in the archive alone", advice=advice)


def _at_intervals(facts: Facts, answers: Answers) -> Judgement:
    del answers
    age = (facts.now - facts.audited) / _DAY
    if not facts.audited or age > _AUDIT_DAYS:
        said = f"{age:.0f} days ago" if facts.audited else "never"
        advice = f"Run `muniment audit` at least every {_AUDIT_DAYS} days."
        return Judgement(met=False, fact=f"the whole archive was last checked {said}", advice=advice)
    if facts.late:
        advice = "Run `muniment copies verify`."
        return Judgement(met=False, fact=f"verified too long ago: {facts.late}", advice=advice)
    return Judgement(met=True, fact=f"the whole archive was checked {age:.0f} days ago, all copies in time")


def _documented(facts: Facts, answers: Answers) -> Judgement:
    del answers
    count = facts.events["fixity check"]
    met = count > 0
    return Judgement(met, f"{count} fixity checks in the log", "" if met else "Run `muniment audit`.")


def _repaired(facts: Facts, answers: Answers) -> Judgement:
    del answers
    if facts.damaged:
        advice = "Run `muniment repair`, then `muniment audit`."
        return Judgement(met=False, fact=f"damaged: {facts.damaged}", advice=advice)
    if not facts.audit_well:
        said = "found damage" if facts.audited else "was never made"
        advice = "Run `muniment audit`, then `muniment repair`, and audit again."
        return Judgement(met=False, fact=f"the last check of the whole archive {said}", advice=advice)
    return Judgement(met=True, fact="the last check of the whole archive found nothing, no copy is damaged")


def _ruled(facts: Facts, answers: Answers) -> Judgement:
    del answers
    advice = "Grant rights on each project, or above it: `muniment access grant`."
    if not facts.has_rules or facts.ruleless:
        return Judgement(met=False, fact=f"projects without rules: {facts.ruleless}", advice=advice)
    return Judgement(met=True, fact="rules hold for every project; what no rule grants is refused")


def _logged(facts: Facts, answers: Answers) -> Judgement:
    del answers
    count = sum(facts.events.values())
    if not facts.chained or facts.nameless:
        fact = f"{count} events; the chain is {'whole' if facts.chained else 'broken'}, {facts.nameless} name nobody"
        return Judgement(met=False, fact=fact, advice="Run `muniment audit` and `muniment repair`; look at the log.")
    return Judgement(met=True, fact=f"{count} events, each with who acted, the chain of hashes whole")


def _indexed(facts: Facts, answers: Answers) -> Judgement:
    del answers
    met = facts.audited > 0
    fact = f"{facts.resources} resources are listed with their copies; an audit compares the list with what is there"
    return Judgement(
        met, fact if met else "no audit of the whole archive was made", "" if met else "Run `muniment audit`."
    )


def _inventory_apart(facts: Facts, answers: Answers) -> Judgement:
    del answers
    age = (facts.now - facts.backed_up) / _DAY
    if not facts.backed_up or age > _BACKUP_DAYS:
        said = f"{age:.0f} days ago" if facts.backed_up else "never"
        advice = "Set MUNIMENT_CONTROL_BACKUP, such as '30 1 * * *', or run `muniment ledger backup`."
        return Judgement(met=False, fact=f"the control database was backed up {said}", advice=advice)
    if not facts.backed_up_in:
        advice = "Have a policy ask for copies of the project muniment/control, or of all: `muniment policy set`."
        return Judgement(met=False, fact="the backup of the control database is in the archive alone", advice=advice)
    return Judgement(met=True, fact=f"backed up {age:.0f} days ago, and in {facts.backed_up_in} stores")


def _formats_watched(facts: Facts, answers: Answers) -> Judgement:
    judge = _nothing_in(
        "unjudged",
        "every newest instance was held against the format policy when it came in",
        "newest instances that were never held against a format policy",
        "Set MUNIMENT_FORMAT_TOOL and MUNIMENT_FORMAT_POLICY; `muniment report formats` shows what is at risk.",
    )
    return judge(facts, answers)


_VIRUS = "Set MUNIMENT_VIRUS_SCANNER to a clamd; what came in before has to come in again, or be scanned by hand."
_FORMATS = "Set MUNIMENT_FORMAT_TOOL to fido or siegfried."
_DESCRIBE = "Say a title and a creator of each: `muniment add --id ID --metadata JSON`."

CRITERIA: tuple[Criterion, ...] = (
    Criterion("storage", 1, 1, "two complete copies, in different places", lambda f, a: _copies(f, a, 2, "place", 2)),
    Criterion("storage", 1, 2, "every medium is documented", _told("place", "Say where each store is (`place`).")),
    Criterion("storage", 1, 3, "content lies on stable storage", _stable),
    Criterion(
        "storage", 2, 1, "three complete copies, one of them elsewhere", lambda f, a: _copies(f, a, 3, "place", 2)
    ),
    Criterion("storage", 2, 2, "what each storage needs to be read is documented", _told("needs", "Say it (`needs`).")),
    Criterion("storage", 3, 1, "a copy where another disaster threatens", lambda f, a: _copies(f, a, 2, "threat", 2)),
    Criterion("storage", 3, 2, "a copy on another kind of medium", _other_medium),
    Criterion("storage", 3, 3, "the ageing of media is watched", _media_watched),
    Criterion(
        "storage", 4, 1, "three copies where different disasters threaten", lambda f, a: _copies(f, a, 3, "threat", 3)
    ),
    Criterion("storage", 4, 2, "nothing that all copies share can lose them all", _diverse),
    Criterion("storage", 4, 3, "a plan against ageing media is carried out", None, "Write and follow one."),
    Criterion(
        "integrity",
        1,
        1,
        "digests that come with content are compared",
        _always("a digest that is given with a file is compared before the file is stored"),
    ),
    Criterion(
        "integrity", 1, 2, "digests are made where none came", _always("every file gets its digests as it comes in")
    ),
    Criterion(
        "integrity",
        1,
        3,
        "content is scanned for viruses, what is infected set apart",
        _nothing_in("unscanned", "every instance was scanned whole", "instances not scanned whole", _VIRUS),
    ),
    Criterion("integrity", 2, 1, "digests are compared whenever content is moved or copied", _read_back),
    Criterion(
        "integrity", 2, 2, "original media are read through write blockers", None, "Use them, or say that none come."
    ),
    Criterion("integrity", 2, 3, "digests are kept in another place as well", _digests_apart),
    Criterion("integrity", 3, 1, "content is verified at fixed intervals", _at_intervals),
    Criterion("integrity", 3, 2, "verifications and their outcomes are documented", _documented),
    Criterion(
        "integrity",
        3,
        3,
        "content can be verified on demand",
        _always("`muniment audit` and `muniment copies verify` do it at any time"),
    ),
    Criterion(
        "integrity",
        4,
        1,
        "content is verified after particular events",
        _always("repairs, imports, migrations and copies count only after another look"),
    ),
    Criterion("integrity", 4, 2, "what is damaged is replaced", _repaired),
    Criterion("control", 1, 1, "who may read, write and remove is determined", _ruled),
    Criterion("control", 2, 1, "these rules are documented, and applied", _ruled),
    Criterion("control", 3, 1, "a log names the people and programs that acted", _logged),
    Criterion("control", 4, 1, "the log is looked through now and then", None, "Look through it: `muniment events`."),
    Criterion("metadata", 1, 1, "an inventory says what there is and where", _indexed),
    Criterion("metadata", 1, 2, "the inventory is backed up in another place", _inventory_apart),
    Criterion(
        "metadata",
        2,
        1,
        "enough is known to tell what each thing is",
        _nothing_in("undescribed", "every resource has a title and a maker", "without title or maker", _DESCRIBE),
    ),
    Criterion("metadata", 3, 1, "standards for metadata are chosen", None, "Choose some for each kind of material."),
    Criterion(
        "metadata",
        3,
        2,
        "gaps in the metadata are found and filled",
        _nothing_in("undescribed", "there are no gaps in titles and makers", "gaps", _DESCRIBE),
    ),
    Criterion("metadata", 4, 1, "acts of preservation are recorded with their time", _logged),
    Criterion(
        "metadata",
        4,
        2,
        "the chosen standards are followed",
        _always("`muniment report premis` writes PREMIS 3 of every resource"),
    ),
    Criterion(
        "content",
        1,
        1,
        "formats are documented, and how they were told",
        _nothing_in(
            "unidentified",
            "formats of every newest instance are recorded, with tool and signatures",
            "never identified",
            _FORMATS,
        ),
    ),
    Criterion(
        "content", 2, 1, "formats are verified against their specifications", None, "Validate by a sample, or all."
    ),
    Criterion("content", 2, 2, "those who make content are told which formats are wanted", None, "Publish the list."),
    Criterion("content", 3, 1, "the obsolescence of formats is watched", _formats_watched),
    Criterion(
        "content",
        4,
        1,
        "content in formats at risk is migrated, or can be emulated",
        _nothing_in(
            "at_risk",
            "nothing is in a format at risk",
            "in a format at risk",
            "Migrate it to what the policy names, and add that as a new instance.",
        ),
    ),
)


def answerable() -> frozenset[str]:
    """The criteria that a person answers for."""
    return frozenset(each.name for each in CRITERIA if each.judge is None)


def in_area(area: str) -> Iterator[Criterion]:
    """The criteria of one area, level by level."""
    return (each for each in CRITERIA if each.area == area)
