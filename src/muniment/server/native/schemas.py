"""The documents of the native interface, as its description shows them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from muniment.http.names import DIGESTS_FORM, ID_FORM, PATH_FORM, PROJECT_FORM, TIME_FORM, UUID_FORM
from muniment.server.native.bucket_schemas import BucketOut

Text = Annotated[str, StringConstraints(max_length=10_000)]
Id = Annotated[Text, Field(json_schema_extra=ID_FORM)]
Project = Annotated[Text, Field(json_schema_extra=PROJECT_FORM)]
Path = Annotated[Text, Field(json_schema_extra=PATH_FORM)]
Uuid = Annotated[Text, Field(json_schema_extra=UUID_FORM)]
Digests = Annotated[
    dict[str, str],
    Field(max_length=10, description="Algorithm to hexadecimal digest.", json_schema_extra=DIGESTS_FORM),
]


def _example(value: JsonDict) -> ConfigDict:
    """A document as somebody may send it, for the description."""
    return ConfigDict(json_schema_extra={"examples": [value]})


class Given(BaseModel):
    """What a client sends: exactly these fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ArchiveInfo(BaseModel):
    """What the archive is."""

    id: str
    created: str
    mode: str
    digests: list[str]
    redundancy: int
    project: str = Field(description="Where resources go that name no project.")
    format: str
    layout: str = Field(description="The OCFL extension that places objects in folders.")
    resources: int | None = Field(description="How many there are; null for those who may not see all.")
    version: str = Field(description="The server's Muniment.")
    lease: float = Field(description="Seconds after its last use that a transaction is rolled back.")


class SummaryOut(BaseModel):
    """A resource in a list."""

    project: str
    id: str
    head: int
    created: str
    modified: str
    files: int
    bytes: int
    audited: str = Field(default="", description="When its content was last audited; nothing for never.")
    damaged: bool = Field(default=False, description="Whether that audit found something wrong.")


class ResourcePage(BaseModel):
    """Resources in the order of their ids."""

    resources: list[SummaryOut]
    next: str | None = Field(default=None, description="`after` of the page that follows.")
    next_project: str | None = Field(default=None, description="`after_project` of the page that follows.")


class ProjectsOut(BaseModel):
    """Projects that hold a resource."""

    projects: list[str]


class InstanceOut(BaseModel):
    """An instance; `record` is all that was written down about it."""

    id: str
    project: str
    number: int
    head: int
    instance: str
    created: str
    message: str
    agent: dict[str, str]
    files: int
    record: dict[str, object]


class HistoryOut(BaseModel):
    """Every instance of a resource, the oldest first."""

    instances: list[InstanceOut]


class FileOut(BaseModel):
    """One file of an instance or a transaction."""

    path: str
    size: int | None
    digests: dict[str, str]
    modified: str | None = None


class InventoryOut(BaseModel):
    """What vouches for an instance."""

    digest: str = Field(description="Of the inventory that came with it, as `algorithm:value`.")


class ReadIn(Given):
    """Files whose bytes are wanted."""

    model_config = _example({"paths": ["letters/1.txt", "letters/2.txt"]})

    paths: list[Path] = Field(min_length=1, max_length=1000)


class FilePage(BaseModel):
    """Files in the order of their paths."""

    files: list[FileOut]
    next: str | None = None


class BeginNew(Given):
    """A transaction for a new resource."""

    model_config = _example({"on": "new", "id": "letters", "project": "museum/archive", "message": "Letters of 1911"})

    on: Literal["new"] = "new"
    id: Id | None = Field(default=None, description="The resource; it gets a UUID without it.")
    project: Project | None = None
    message: Text = ""


class BeginOn(Given):
    """A transaction on a resource that is there."""

    model_config = _example({"on": "existing", "id": "letters", "message": "Letters of 1912 as well"})

    on: Literal["existing"]
    id: Id
    project: Project | None = None
    message: Text = ""


class TransactionOut(BaseModel):
    """A transaction and what its instance would hold."""

    transaction: str
    id: str
    project: str
    number: int = Field(description="The number its instance will have.")
    prepared: bool
    metadata: dict[str, object]
    provenance: list[object] = Field(description="The instances it is made from, as far as that was said.")
    expires_in: float = Field(description="Seconds it lives from now on; each use begins them anew.")


class MetadataIn(Given):
    """What is said about the instance; it takes the place of what was said before."""

    model_config = _example({"metadata": {"title": "Letters", "creator": "Marie Curie"}})

    metadata: dict[str, object]
    provenance: list[object] | None = Field(default=None, max_length=10_000)


class LeftOutIn(Given):
    """What was not taken in: a file, or a folder whose path ends in '/'."""

    path: Text
    rule: Text
    given: Text = Field(description="Who gave the rule: exclude, a file with its line, or system files.")


class LinksIn(Given):
    """What a folder holds beside files, and what of it was left out."""

    model_config = _example({"links": {"newest.txt": "letters/2.txt"}, "folders": ["letters/1913"]})

    links: dict[str, str] = Field(default={}, max_length=100_000, description="Path to what the link says.")
    folders: list[Path] = Field(default=[], max_length=100_000)
    left_out: list[LeftOutIn] = Field(default=[], max_length=100_000)


class CommitIn(Given):
    """How to commit."""

    model_config = _example({"message": "Letters of 1911"})

    message: Text | None = None


class PrepareIn(Given):
    """The group a transaction is prepared for."""

    model_config = _example(
        {"group": "6f8c1e5a-0000-4000-8000-000000000001", "decided_at": "6f8c1e5a-0000-4000-8000-000000000002"}
    )

    group: Uuid
    decided_at: Uuid


class UploadIn(Given):
    """A file that will come in pieces."""

    model_config = _example({"path": "film.mkv", "size": 5000000000})

    path: Path
    size: int | None = Field(default=None, ge=0, le=1 << 60, strict=False)
    digests: Digests = {}
    modified: Annotated[Text, Field(json_schema_extra=TIME_FORM)] | None = None
    replace: bool = False


class UploadOut(BaseModel):
    """An upload and how many bytes of it have come."""

    upload: str
    offset: int


class FinishIn(Given):
    """What the whole file must be."""

    model_config = _example({"digests": {"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}})

    digests: Digests = {}


class Added(BaseModel):
    """Files that were added."""

    files: list[FileOut]


class Removed(BaseModel):
    """What was left out."""

    removed: list[str]


class LeftoverOut(BaseModel):
    """A transaction that was never closed and that nobody holds."""

    transaction: str
    project: str
    id: str
    base: int
    started: str
    files: int
    agent: str
    group: str = ""
    decided_at: str = ""


class Leftovers(BaseModel):
    """Unfinished transactions."""

    transactions: list[LeftoverOut]


class EventIn(Given):
    """An event of one's own."""

    model_config = _example({"event": "appraisal", "detail": {"note": "Kept for good."}})

    event: Text = Field(
        description="A PREMIS event type; not one that only the archive itself writes.",
        json_schema_extra={"pattern": "^[a-z]{2,40}( [a-z]{2,40}){0,3}$"},
    )
    resource: Text = Field(
        default="", json_schema_extra={**ID_FORM, "pattern": ID_FORM["pattern"].replace("+$", "*$"), "minLength": 0}
    )
    project: Project | None = None
    instance: int = Field(default=0, ge=0, le=1 << 31, strict=False)  # JSON has 1.0 for 1
    outcome: Literal["success", "failure"] = "success"
    detail: dict[str, object] = {}


class EventOut(BaseModel):
    """One entry of the log; fields that say nothing are left out."""

    model_config = ConfigDict(extra="allow")

    seq: int
    timestamp: str
    event: str
    previous: str


class EventPage(BaseModel):
    """Events, the oldest first; `next` is where to go on, also when there is nothing yet."""

    events: list[EventOut]
    next: str


class LogHead(BaseModel):
    """How far the log reaches: the newest event's number and the sha256 of its line."""

    seq: int
    hash: str


class AuditIn(Given):
    """What to audit."""

    model_config = _example({"id": "letters", "fast": True})

    id: Id | None = None
    project: Project | None = None
    fast: bool = False
    every_digest: bool = False
    resume: bool = Field(default=False, description="Go on where the last audit of everything was broken off.")
    since: str | None = Field(default=None, description="A head noted earlier, `seq:hash`: the log is held against it.")


class RepairIn(Given):
    """What to repair."""

    model_config = _example({"id": "letters"})

    id: Id | None = None
    project: Project | None = None


class ParityOut(BaseModel):
    """What was made of a resource's parity."""

    count: int = Field(description="How many sets.")


class PurgeIn(Given):
    """Why a resource is removed for ever."""

    model_config = _example({"reason": "The donor took it back."})

    reason: Text


class Part(Given):
    """One transaction of a group."""

    archive: Text
    transaction: Text


class Decision(Given):
    """All prepared transactions of a group that are to be committed."""

    model_config = _example(
        {
            "parts": [
                {
                    "archive": "6f8c1e5a-0000-4000-8000-000000000003",
                    "transaction": "6f8c1e5a-0000-4000-8000-000000000004",
                }
            ]
        }
    )

    parts: list[Part] = Field(max_length=1000)


class DecisionOut(BaseModel):
    """What was decided about a group."""

    group: str
    decision: str
    agent: str = ""
    parts: list[dict[str, object]]


class Imported(BaseModel):
    """The resources that were taken in, and what was noticed about their package."""

    ids: list[str]
    notices: list[dict[str, str]] = []


class FetchIn(Given):
    """What is to be fetched, and where to."""

    model_config = _example({"sources": [{"http": {"url": "https://example.org/data.csv"}}], "id": "data"})

    sources: list[Annotated[dict[str, dict[str, object]], Field(min_length=1, max_length=1)]] = Field(
        min_length=1,
        max_length=100,
        description='Objects with a source\'s name as their only key: `{"http": {"url": "https://example.org/"}}`.',
    )
    id: Id | None = Field(default=None, description="The resource; without it one that follows from the sources.")
    project: Project | None = None
    message: Text = ""
    again: bool = Field(default=False, description="Fetch also what looks unchanged since the newest instance.")


class FetchOut(BaseModel):
    """A fetch: what was asked, and how far it is or what came of it."""

    fetch: str
    state: str = Field(description="running, done, failed or cancelled.")
    reason: str = Field(description="Why it failed.")
    id: str
    project: str
    sources: list[dict[str, object]] = Field(description="Without their credentials.")
    requester: str
    created: str
    ended: str | None
    result: dict[str, object] | None = Field(
        description="Its instance, whether that is a new one, and the files that could not be had."
    )
    bytes: int | None = None
    running: list[dict[str, object]] = []
    waiting: list[dict[str, object]] = Field(default=[], description="What waits for a service, why, and until when.")


class FetchPage(BaseModel):
    """Fetches, the newest first."""

    fetches: list[FetchOut]
    next: str | None


class Count(BaseModel):
    """How many."""

    count: int


class JobOut(BaseModel):
    """A job of the ledger."""

    id: str
    kind: str
    key: str | None = Field(description="The requester's own name for it; a container's id.")
    state: str
    paused: bool
    requester: str
    priority: str
    created: str
    ended: str | None
    steps: int
    steps_done: int
    steps_failed: int
    reason: str


class WaitingJobOut(JobOut):
    """A job that has not ended."""

    running: int = Field(description="Steps that are being done.")
    waits_for: str | None = Field(description="An outage, a closed limit, a worker, …; null while it goes on.")
    until: str | None = Field(description="When it is tried again, as far as that is known.")


class HeldOut(BaseModel):
    """A step that a worker holds."""

    step: str
    job: str
    kind: str
    key: str | None
    since: str
    attempt: int
    what: str
    done: int
    total: int | None
    bytes: int


class WorkerOut(BaseModel):
    """A worker, or a dispatcher that only sends to a broker; one without `seen` was not heard of lately."""

    id: str
    engine: str | None
    started: str | None
    seen: str | None
    holds: list[HeldOut]


class QueueDepthOut(BaseModel):
    """Steps of one kind of job in one queue and state."""

    queue: str
    kind: str
    state: str
    steps: int


class LimitOut(BaseModel):
    """A service that may not be called now."""

    name: str
    until: str
    by: str = Field(description="Whose answer closed it.")
    waiting: int = Field(default=0, description="Steps that wait for it.")


class LimitsOut(BaseModel):
    """Closed limits, the longest first."""

    limits: list[LimitOut]


class LiftedOut(BaseModel):
    """Whether a limit was closed, and is not any more."""

    lifted: bool


class OutageOut(BaseModel):
    """Something of the archive's own means that fails."""

    name: str
    since: str
    reason: str
    waiting: int


class LedgerOut(BaseModel):
    """Whether the ledger can be reached, and why not."""

    reached: bool
    reason: str


class UsageOut(BaseModel):
    """What the archive holds; sizes are in bytes."""

    resources: int
    bytes: int
    disk_free: int = Field(description="Of its own disk; in front of a bucket, of the one it is built on.")
    disk_size: int
    audited: str | None = Field(description="When the whole archive was last audited.")
    audited_clean: str | None = Field(description="When that last found nothing wrong.")
    parity_owed: int | None = Field(description="Instances without their parity; null while they are counted.")


class OperationsOut(BaseModel):
    """Operations at one moment. Without the ledger all lists are empty."""

    ledger: LedgerOut
    at: str | None = None
    workers_alive: int = 0
    workers: list[WorkerOut] = []
    depths: list[QueueDepthOut] = []
    oldest_due: dict[str, str] = Field(default={}, description="Since when the longest waiting step is due, by queue.")
    limits: list[LimitOut] = []
    outages: list[OutageOut] = []
    jobs: list[WaitingJobOut] = Field(default=[], description="The oldest fifty that have not ended.")
    failed: list[JobOut] = Field(default=[], description="The newest fifty of the last thirty days.")
    archive: UsageOut | None = None
    bucket: BucketOut | None = None


class ReportOut(BaseModel):
    """A report as it was last computed."""

    kind: str
    project: str | None = Field(description="Null for the whole archive.")
    made: str = Field(description="When it was computed.")
    report: dict[str, object] = Field(description="As `muniment report … --json` writes it.")
