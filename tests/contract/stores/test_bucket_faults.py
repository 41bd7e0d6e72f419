"""What a store may do to an archive in a bucket beside what it should: all is named, nothing lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from muniment.app.bucket import BucketArchive
from muniment.errors.archive import ArchiveGone, CommitUncertain, StaleTransaction
from muniment.errors.base import MunimentError, RemoteError, StorageError
from muniment.errors.stores import StoreRefused
from muniment.stores.s3 import keys as of_keys
from muniment.testing.keys import FolderKeys, Request, Stat
from tests.contract.stores.amazon import Amazon, Fault
from tests.crash.buckets import opened, prepare
from tests.crash.judging import assert_whole, state_of


@pytest.fixture
def faulty(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> Iterator[Amazon]:
    monkeypatch.setattr(of_keys, "_FIRST_PAUSE", 0.01)
    yield amazon
    amazon.fault = lambda *_: None


@pytest.fixture
def archive(faulty: Amazon, tmp_path: Path) -> Iterator[BucketArchive]:
    with BucketArchive.make(faulty.keys(faulty.bucket(locks=False)), tmp_path / "state", workers=0) as found:
        with found.new("car", message="first") as transaction:
            transaction.add(b"four wheels\n", "wheels.txt")
        yield found
        faulty.fault = lambda *_: None


class Once:
    """A fault at the first request whose path ends so; `seen` counts them."""

    def __init__(self, ending: str, fault: Fault, *, always: bool = False) -> None:
        self._ending, self._fault, self._always = ending, fault, always
        self.seen = 0

    def __call__(self, method: str, path: str, query: str) -> Fault | None:
        del query
        if method != "PUT" or not path.endswith(self._ending):
            return None
        self.seen += 1
        return self._fault if self.seen == 1 or self._always else None


def commit(archive: BucketArchive, message: str = "second") -> None:
    with archive.get("car", "a", message=message) as transaction:
        transaction.add(message.encode(), f"{message}.txt")


def judge(amazon: Amazon, archive: BucketArchive, tmp_path: Path, messages: list[str]) -> None:
    """What another machine finds: these instances, one event for each, nothing in the intake."""
    amazon.fault = lambda *_: None
    bucket = str(archive.path).removeprefix("s3://").partition("/")[0]
    with BucketArchive(amazon.keys(bucket), tmp_path / "other", workers=0) as other:
        assert [found.message for found in other.history("car")] == messages
        told = [event.instance for event in other.events() if event.event == "ingestion"]
        assert told == list(range(1, len(messages) + 1))
        assert [finding.as_json() for finding in other.audit()] == []
        assert list(other.home.keys.list("intake/")) == []
        other.mirror(tmp_path / "mirror")
        assert_whole(tmp_path / "mirror", state_of(other))


@pytest.mark.parametrize(
    "fault",
    [Fault(409), Fault(503), Fault(503, done=True), Fault(0, done=True), Fault(500, done=True), Fault(0)],
    ids=["409", "503", "503 though done", "answer lost", "500 though done", "cut off before"],
)
def test_a_put_that_decides_is_found_out_about_whatever_its_answer(
    faulty: Amazon, archive: BucketArchive, tmp_path: Path, fault: Fault
) -> None:
    for message, key in (("seal", "/end"), ("commit", "v3/inventory.json"), ("event", ".jsonl")):
        struck = faulty.fault = Once(key, fault)
        commit(archive, message)
        assert struck.seen, "it was struck"
    judge(faulty, archive, tmp_path, ["first", "seal", "commit", "event"])


@pytest.mark.parametrize("fault", [Fault(409), Fault(503), Fault(0)], ids=["409", "503", "no answer"])
def test_when_nobody_can_tell_it_is_said_so_and_the_next_opening_finishes_it(
    faulty: Amazon, archive: BucketArchive, tmp_path: Path, fault: Fault
) -> None:
    faulty.fault = Once("v2/inventory.json", fault, always=True)
    with pytest.raises(CommitUncertain, match="Do not begin it again"):
        commit(archive)
    judge(faulty, archive, tmp_path, ["first", "second"])


def test_a_slow_duplicate_that_lands_late_changes_nothing_that_counts(
    faulty: Amazon, archive: BucketArchive, tmp_path: Path
) -> None:
    """Every put of one commit is done once more after the next commit, as a network may have it."""
    faulty.remember = []
    commit(archive)
    repeated, faulty.remember = faulty.remember, None
    with archive.get("car", "a", message="third") as transaction:
        transaction.add(b"fast\n", "speed.txt")
    assert len(repeated) > 10, "a commit is many puts"
    for request in repeated:
        faulty.repeat(request)
    assert [found.message for found in archive.history("car")] == ["first", "second", "third"]
    assert archive.get("car").read("speed.txt") == b"fast\n"
    found = {finding.where.rpartition("/")[2] for finding in archive.audit() if finding.failed}
    assert found == {"inventory.json", "inventory.json.sha512"}, "the root's copies went back, and that is named"
    assert all(each.repaired for each in archive.repair())
    archive.recover()
    for key in [each.key for each in archive.home.keys.list("intake/")]:
        assert key.rpartition("/")[2] != "quarantined", key
    judge(faulty, archive, tmp_path, ["first", "second", "third"])


def test_a_clock_that_is_wrong_is_named_and_nothing_was_done(
    faulty: Amazon, archive: BucketArchive, tmp_path: Path
) -> None:
    faulty.fault = lambda method, path, query: Fault(403, code="RequestTimeTooSkewed")  # noqa: ARG005
    with pytest.raises(StoreRefused, match="clock and the service's differ"):
        commit(archive)
    judge(faulty, archive, tmp_path, ["first"])


def test_rights_that_allow_to_put_and_not_to_list_are_named_and_nothing_is_begun(
    faulty: Amazon, archive: BucketArchive, tmp_path: Path
) -> None:
    def unlisted(method: str, path: str, query: str) -> Fault | None:
        del path
        return Fault(403, code="AccessDenied") if method == "GET" and "list-type" in query else None

    faulty.fault = unlisted
    fresh = faulty.keys(faulty.bucket(locks=False))
    with pytest.raises(StoreRefused, match=r"AccessDenied.*rights"):
        BucketArchive.make(fresh, tmp_path / "new", workers=0)
    with pytest.raises(StoreRefused, match=r"AccessDenied.*rights"):
        commit(archive)
    with pytest.raises(StoreRefused, match=r"AccessDenied.*rights"):
        BucketArchive(archive.home.keys, tmp_path / "reader", workers=0)
    faulty.fault = lambda *_: None
    assert list(fresh.list()) == []
    judge(faulty, archive, tmp_path, ["first"])


def test_rights_that_allow_to_read_and_not_to_put_open_the_archive_for_reading(
    faulty: Amazon, archive: BucketArchive, tmp_path: Path
) -> None:
    faulty.fault = lambda method, path, query: Fault(403, code="AccessDenied") if method == "PUT" else None  # noqa: ARG005
    with BucketArchive(archive.home.keys, tmp_path / "reader", workers=0) as reader:
        assert isinstance(reader.read_only, StoreRefused)
        assert reader.get("car").read("wheels.txt") == b"four wheels\n"
        with pytest.raises(StoreRefused):
            commit(reader)
    judge(faulty, archive, tmp_path, ["first"])


def test_a_bucket_that_lets_nothing_go_keeps_what_was_on_its_way_and_fails_no_commit_and_no_opening(
    faulty: Amazon, archive: BucketArchive, tmp_path: Path
) -> None:
    """As where a default retention was set later, or nobody has the right to delete."""
    faulty.fault = lambda method, path, query: Fault(403, code="AccessDenied") if method == "DELETE" else None  # noqa: ARG005
    late = archive.get("car", "a")
    late.add(b"late", "late.txt")
    commit(archive)
    with pytest.raises(StaleTransaction):
        late.commit()
    with BucketArchive(archive.home.keys, tmp_path / "another", workers=0) as another:
        assert another.get("car").read("second.txt") == b"second"
        assert another.writable
        assert [each.key for each in another.home.keys.list("intake/") if each.key.endswith("/end")]
    judge(faulty, archive, tmp_path, ["first", "second"])


def test_a_bucket_that_is_emptied_under_a_living_writer_is_named_and_nothing_is_put_there(
    faulty: Amazon, archive: BucketArchive, tmp_path: Path
) -> None:
    keys = archive.home.keys
    kept = {each.key: keys.open(each.key).read() for each in keys.list()}
    transaction = archive.new("bicycle", message="made")
    transaction.add(b"two wheels\n", "wheels.txt")
    keys.remove(list(kept))
    for attempt in (transaction.commit, lambda: archive.record_event("capture"), lambda: list(archive.events())):
        with pytest.raises(ArchiveGone, match=r"000002\.jsonl.* is gone\. Nothing was stored\. Bring the bucket back"):
            attempt()
    assert list(keys.list()) == [], "nothing is put into what is no archive any more"
    for key, data in kept.items():
        keys.put(key, data)
    commit(archive)
    judge(faulty, archive, tmp_path, ["first", "second"])


def test_a_bucket_that_is_emptied_while_a_version_is_on_its_way_takes_no_seal(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    keys = FolderKeys(tmp_path / "bucket")

    def empty(_: int, request: Request, when: str) -> None:
        if request.kind == "put" and request.key.endswith("/pack/1") and when == "after":
            keys.fault = None
            keys.remove([each.key for each in keys.list() if not each.key.startswith("intake/")])

    with opened(keys, tmp_path / "writer") as archive:
        transaction = archive.get("one", "a")
        transaction.add(b"more\n", "more.txt")
        keys.fault = empty
        with pytest.raises(ArchiveGone, match=r"muniment\.json"):
            transaction.commit()
    assert list(keys.list()) == []


class LateKeys(FolderKeys):
    """A store whose listings do not show what was put within the last few requests."""

    late = 0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._put_at: dict[str, int] = {}

    def _shown(self, key: str) -> bool:
        return len(self.requests) - self._put_at.get(key, -(10**6)) > self.late

    def list(self, prefix: str = "", after: str = "") -> Iterator[Stat]:
        return (each for each in super().list(prefix, after) if self._shown(each.key))

    def folders(self, prefix: str) -> Sequence[str]:
        keys = [each.key for each in super().list(prefix) if self._shown(each.key)]
        rests = (key.removeprefix(prefix) for key in keys)
        return sorted({rest.split("/")[0] for rest in rests if "/" in rest})

    def put(self, key: str, source: bytes | Path) -> None:
        super().put(key, source)
        self._put_at[key] = len(self.requests)

    def put_once(self, key: str, source: bytes | Path, note: str = "", lock: Any = None) -> bool:
        done = super().put_once(key, source, note, lock)
        self._put_at[key] = len(self.requests)
        return done


@pytest.mark.parametrize("late", [1, 3, 10, 40])
def test_a_store_that_lists_late_loses_and_doubles_nothing(tmp_path: Path, late: int) -> None:
    prepare(tmp_path, "preservation")
    keys, committed = LateKeys(tmp_path / "bucket"), 0
    keys.late = late
    for machine in range(4):
        try:
            with opened(keys, tmp_path / f"machine-{machine}") as archive:
                with archive.get("one", "a", message=f"by {machine}") as transaction:
                    transaction.add(f"{machine}\n".encode(), f"{machine}.txt")
                committed += 1
        except (MunimentError, StorageError, RemoteError):
            continue
    keys.late = 0
    with opened(keys, tmp_path / "judge") as archive:
        archive.recover()
        messages = [found.message for found in archive.history("one")]
        assert len(messages) == len(set(messages)) >= 2 + committed
        told = [event.instance for event in archive.events() if event.event == "ingestion"]
        assert told == list(range(1, len(messages) + 1))
        assert [finding.as_json() for finding in archive.audit() if finding.failed] == []
        archive.mirror(tmp_path / "mirror")
        assert_whole(tmp_path / "mirror", state_of(archive))
