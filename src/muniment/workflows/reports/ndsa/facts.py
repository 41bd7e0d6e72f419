"""The facts of an archive that the levels are judged by: of its log, instances, copies and settings."""

from __future__ import annotations

import hashlib
from collections import Counter
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
) -> Facts:
    """Look at everything once.

    Raises:
        ReadFailed, DatabaseUnavailable: It cannot be read.
    """
    media = {ARCHIVE: "disk", **{each.name: medium_of(each.address) for each in stores}}
    facts = Facts(now, media, policies=policies, leftovers=len(archive.leftovers()), has_rules=bool(rules))
    scanned = _read_log(archive, facts)
    sets: set[frozenset[str]] = set()
    for found in protections:
        where = _count_copies(found, facts)
        if (found.project, found.id) == (CONTROL_PROJECT, CONTROL_ID):
            facts.backed_up_in = len(where - {ARCHIVE})
            facts.backed_up = float(seconds(archive.instance(found.id, project=found.project).created))
        sets.add(where)
        facts.resources += 1
        if not any(rules.get(address) for address in ancestors(f"/{found.project}")):
            facts.ruleless.add(found.project)
        _look_at(archive, found, formats, scanned, facts)
    facts.kept_in = sorted(sets, key=lambda each: (len(each), sorted(each)))
    return facts


def _read_log(archive: Archive, facts: Facts) -> dict[tuple[str, str, int], bool]:
    """Go through the log once; which instances a virus check passed whole."""
    scanned: dict[tuple[str, str, int], bool] = {}
    before = ""
    for event in archive.events():
        facts.events[event.event] += 1
        facts.nameless += not event.agent
        if event.event == UNREADABLE or (before and event.previous != before):
            facts.chained = False
        before = hashlib.sha256(event.as_line()).hexdigest()
        if event.event == VIRUS_CHECK and event.instance:
            scanned[event.project, event.resource, event.instance] = event.outcome == "success"
        whole = event.event == "fixity check" and not event.resource and not event.project
        if whole and not event.detail.get("fast"):
            facts.audited = float(seconds(event.timestamp))
            facts.audit_well = event.outcome == "success"
    return scanned


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
