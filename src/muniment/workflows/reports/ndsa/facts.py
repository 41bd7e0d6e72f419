"""The facts of an archive that the levels are judged by: of its log, instances, copies and settings."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from muniment.access.permissions import Rules, ancestors
from muniment.archive import Archive, Instance
from muniment.content.events import UNREADABLE
from muniment.content.times import seconds
from muniment.errors.base import MunimentError
from muniment.workflows.checks.policy import FormatPolicy, Status
from muniment.workflows.control_backup import ID as CONTROL_ID
from muniment.workflows.control_backup import PROJECT as CONTROL_PROJECT
from muniment.workflows.copies.registry import ARCHIVE, StoreRecord
from muniment.workflows.copies.status import Protection

IDENTIFICATION = "format identification"
VIRUS_CHECK = "virus check"
_TITLES = ("title", "name", "description")
_MAKERS = ("creator", "author", "producer", "publisher", "contributor", "rights holder")
_MEDIA = {"": "disk", "file": "disk", "s3": "object storage", "ltfs": "tape", "rclone": "remote service"}
_EXAMPLES = 5


@dataclass(slots=True)
class Tally:
    """How many there are of something, and the first few."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, what: str) -> None:
        """One more."""
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(what)

    def join(self, other: Tally) -> None:
        """All that another has counted."""
        self.count += other.count
        self.examples = [*self.examples, *other.examples][:_EXAMPLES]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self.count > 0

    def __str__(self) -> str:
        """The number, and the first few."""
        more = ", …" if self.count > len(self.examples) else ""
        return f"{self.count} ({', '.join(self.examples)}{more})" if self.count else "0"


@dataclass(slots=True)
class Facts:
    """What is known of an archive. Times are seconds since 1970 UTC, 0 for never; `now` is when it was asked."""

    now: float
    media: Mapping[str, str] = field(default_factory=dict)
    """What each store is, the archive itself included."""
    resources: int = 0
    kept_in: list[frozenset[str]] = field(default_factory=list)
    """The different sets of stores, the archive included, that hold all instances of a resource, verified in time."""
    late: Tally = field(default_factory=Tally)
    damaged: Tally = field(default_factory=Tally)
    unread: Tally = field(default_factory=Tally)
    policies: int = 0
    leftovers: int = 0
    events: Counter[str] = field(default_factory=Counter)
    chained: bool = True
    nameless: int = 0
    """Events without an agent."""
    audited: float = 0.0
    audit_well: bool = False
    unscanned: Tally = field(default_factory=Tally)
    unidentified: Tally = field(default_factory=Tally)
    unjudged: Tally = field(default_factory=Tally)
    at_risk: Tally = field(default_factory=Tally)
    undescribed: Tally = field(default_factory=Tally)
    ruleless: Tally = field(default_factory=Tally)
    has_rules: bool = False
    backed_up: float = 0.0
    backed_up_in: int = 0
    """In how many stores the newest backup of the control database is, the archive not counted."""


_TALLIES = (
    "late",
    "damaged",
    "unread",
    "unscanned",
    "unidentified",
    "unjudged",
    "at_risk",
    "undescribed",
    "ruleless",
)
"""The facts that are lists of what is wrong."""


def medium_of(address: str) -> str:
    """What a store is, by its address."""
    return _MEDIA.get(urlsplit(address).scheme if "://" in address else "", "another kind of store")


def gather(
    archive: Archive,
    *,
    stores: Sequence[StoreRecord],
    protections: Iterable[Protection],
    policies: int,
    rules: Rules,
    formats: FormatPolicy | None,
    now: float,
) -> dict[str, Facts]:
    """Look at everything once: the facts of each project, by its name, and under '' those of the whole archive.

    What is of the archive and of no project alone (the chain of the log, audits of everything, the backup of the
    control database) counts for every project.

    Raises:
        ReadFailed, DatabaseUnavailable: It cannot be read.
    """
    media = {each.name: medium_of(each.address) for each in stores}
    whole = Facts(
        now,
        {ARCHIVE: "disk", **media},
        policies=policies,
        leftovers=len(archive.leftovers()),
        has_rules=bool(rules),
    )
    log = _read_log(archive, whole)
    found: dict[str, Facts] = {}
    sets: dict[str, set[frozenset[str]]] = {}
    for each in protections:
        facts = found.get(each.project)
        if facts is None:
            facts = found[each.project] = _of_project(whole, log.events[""] + log.events[each.project])
            sets[each.project] = set()
            if not any(rules.get(address) for address in ancestors(f"/{each.project}")):
                facts.ruleless.add(each.project)
        where = _count_copies(each, facts)
        sets[each.project].add(where)
        facts.media = {**facts.media, **{row.store: media[row.store] for row in each.rows if row.store in media}}
        if (each.project, each.id) == (CONTROL_PROJECT, CONTROL_ID):
            whole.backed_up_in = len(where - {ARCHIVE})
            whole.backed_up = float(seconds(archive.instance(each.id, project=each.project).created))
        facts.resources += 1
        _look_at(archive, each, formats, log.scanned, facts)
    for project, facts in found.items():
        facts.backed_up, facts.backed_up_in = whole.backed_up, whole.backed_up_in
        facts.kept_in = sorted(sets[project], key=lambda each: (len(each), sorted(each)))
        whole.resources += facts.resources
        for name in _TALLIES:
            getattr(whole, name).join(getattr(facts, name))
    whole.kept_in = sorted(set().union(*sets.values()), key=lambda each: (len(each), sorted(each)))
    return {"": whole, **found}


def _of_project(whole: Facts, events: Counter[str]) -> Facts:
    """Where the facts of a project begin: with those of the archive and its log."""
    return Facts(
        whole.now,
        {ARCHIVE: "disk"},
        policies=whole.policies,
        leftovers=whole.leftovers,
        events=events,
        chained=whole.chained,
        nameless=whole.nameless,
        audited=whole.audited,
        audit_well=whole.audit_well,
        has_rules=whole.has_rules,
    )


@dataclass(slots=True)
class _Log:
    """What the log tells: events by project ('' for those of the whole) and kind, and which instances were scanned."""

    events: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    scanned: dict[tuple[str, str, int], bool] = field(default_factory=dict)


def _read_log(archive: Archive, facts: Facts) -> _Log:
    """Go through the log once; which instances a virus check passed whole, and the facts of the log itself."""
    log = _Log()
    before = ""
    for event in archive.events():
        facts.events[event.event] += 1
        log.events[event.project][event.event] += 1
        facts.nameless += not event.agent
        if event.event == UNREADABLE or (before and event.previous != before):
            facts.chained = False
        before = hashlib.sha256(event.as_line()).hexdigest()
        if event.event == VIRUS_CHECK and event.instance:
            log.scanned[event.project, event.resource, event.instance] = event.outcome == "success"
        whole = event.event == "fixity check" and not event.resource and not event.project
        if whole and not event.detail.get("fast"):
            facts.audited = float(seconds(event.timestamp))
            facts.audit_well = event.outcome == "success"
    return log


def _count_copies(found: Protection, facts: Facts) -> frozenset[str]:
    """Where all instances of a resource are, verified in time."""
    lacking = {each.copy.partition(" ")[0] for each in found.shortfalls if each.copy}
    numbers: dict[str, set[int]] = {}
    name = f"{found.project}/{found.id}"
    for row in found.rows:
        if row.store == ARCHIVE:
            continue
        if row.state == "made":
            numbers.setdefault(row.store, set()).add(row.number)
            if row.verified_at is None:
                facts.unread.add(f"{name} in {row.store}")
        elif row.state == "damaged":
            facts.damaged.add(f"{name} in {row.store}")
    for each in found.shortfalls:
        if "verified" in each.reason:
            facts.late.add(f"{name} in {each.copy}")
    every = set(range(1, found.head + 1))
    whole = {store for store, held in numbers.items() if held >= every and store not in lacking}
    return frozenset({ARCHIVE, *whole})


def _look_at(
    archive: Archive,
    found: Protection,
    formats: FormatPolicy | None,
    scanned: Mapping[tuple[str, str, int], bool],
    facts: Facts,
) -> None:
    name = f"{found.project}/{found.id}"
    for number in range(1, found.head + 1):
        if not scanned.get((found.project, found.id, number)):
            facts.unscanned.add(f"{name} v{number}")
    try:
        instance = archive.instance(found.id, project=found.project)
        said = instance.metadata
        checks = instance.record.get("checks", {})
        if not (any(said.get(key) for key in _TITLES) and any(said.get(key) for key in _MAKERS)):
            facts.undescribed.add(name)
        if IDENTIFICATION not in checks:
            facts.unidentified.add(name)
        if "format policy" not in checks:
            facts.unjudged.add(name)
        if formats is not None and _risky(instance, formats):
            facts.at_risk.add(name)
    except MunimentError:
        facts.damaged.add(f"{name} in the archive")


def _risky(instance: Instance, formats: FormatPolicy) -> bool:
    return any(formats.of(found).status is not Status.ACCEPTED for _, found in instance.formats())
