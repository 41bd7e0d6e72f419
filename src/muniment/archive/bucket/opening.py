"""What is asked of a bucket before an archive is opened or made in it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.worm import WormKeys
from muniment.archive.config import config_bytes, parse_config
from muniment.archive.create import archive_files
from muniment.archive.disk.layout import SETTINGS
from muniment.archive.disk.root_files import RECORD, RootFiles
from muniment.content.buckets import BucketRules, LifecycleRule
from muniment.content.config import ArchiveConfig, Mode
from muniment.content.identity import new_uuid
from muniment.content.locks import parse_lock
from muniment.errors.archive import NotAnArchive
from muniment.errors.base import BadInput, RemoteError, StorageError
from muniment.errors.stores import BadStore, ConditionsIgnored, KeyNotFound, StoredWrong, StoreRefused


def read_settings(keys: Keys) -> tuple[ArchiveConfig, bytes]:
    """The settings of the archive below `keys`, read and as they lie there.

    Raises:
        NotAnArchive: There is none, or its settings cannot be read.
        NewerFormat: It was made by a later Muniment.
        StoreUnreachable, StoreFailed, StoreRefused: The bucket cannot be had.
    """
    try:
        with keys.open(SETTINGS) as stream:
            data = stream.read()
    except KeyNotFound:
        raise NotAnArchive(path=str(keys), reason=f"it holds no {SETTINGS}") from None
    return parse_config(data, str(keys)), data


def why_read_only(keys: Keys, settings: bytes) -> StorageError | RemoteError | ConditionsIgnored | None:
    """Why nothing can be written: the store would not refuse the second of two writers, or refuses us."""
    try:
        if keys.refuses_twice(SETTINGS, settings):
            return None
    except StoreRefused as error:
        return error
    return ConditionsIgnored(store=str(keys), key=SETTINGS)


def refuse_without_conditions(keys: Keys) -> None:
    """Race the store with itself: of sixteen writers of one key exactly one may be told that it was first.

    Raises:
        ConditionsIgnored: Another number was.
    """
    for _ in range(3):
        key = f"intake/probe-{new_uuid()}"
        try:
            with ThreadPoolExecutor(16, thread_name_prefix="probe") as pool:
                told = list(pool.map(lambda number: keys.put_once(key, f"writer {number}".encode()), range(16)))  # noqa: B023
        finally:
            keys.remove([key])
        if told.count(True) != 1:
            raise ConditionsIgnored(store=str(keys), key=key)


def guarded(keys: Keys, config: ArchiveConfig) -> Keys:
    """The keys as an archive's mode has them: in worm mode each is put once and locked."""
    return WormKeys(keys, parse_lock(config.lock)) if config.lock else keys


def refuse_unfit(keys: Keys, mode: Mode, lock: str) -> None:
    """Refuse a bucket that would lose keys of an archive on its own, or keep what has to go, or that cannot lock.

    Raises:
        BadInput: Worm mode names no lock, or another mode names one.
        BadStore: The bucket does what an archive cannot live with.
    """
    if mode is Mode.WORM and not lock:
        reason = (
            "worm mode in a bucket locks every key: say how, and for how long, such as --lock 'governance 1y' to try "
            "it or --lock 'compliance 10y', which nobody can take back"
        )
        raise BadInput(reason=reason)
    if lock and mode is not Mode.WORM:
        raise BadInput(reason=f"keys are locked in worm mode, not in {mode} mode: give --mode worm, or no --lock")
    rules = keys.rules()
    refused = [each.text for each in faults_of(rules, worm=mode is Mode.WORM) if each.refused]
    if refused:
        raise BadStore(store=str(keys), reason="; ".join(refused))


class BucketFault(NamedTuple):
    """What is wrong with a bucket's own rules, and what to do; `refused` where no archive is made with it."""

    text: str
    refused: bool


def faults_of(rules: BucketRules, *, worm: bool) -> list[BucketFault]:
    """What a bucket does on its own that an archive cannot live with, or would do better without."""
    found = []
    if rules.retention:
        text = f"the bucket locks whatever is put ({rules.retention}), also what is only on its way in and has to go"
        found.append(BucketFault(f"{text}: take its default retention away", refused=True))
    if worm and not rules.locks:
        text = "worm mode needs a bucket with Object Lock, and this one has none: it is switched on when one is made"
        found.append(BucketFault(text, refused=True))
    for rule in rules.expiring:
        text = f"its lifecycle rule {rule.name!r} removes {_below(rule)} {rule.expires}"
        hidden = "would hide whatever the archive holds" if rules.versions else "would lose whatever the archive holds"
        advice = "take the rule away, or limit it to another prefix"
        found.append(BucketFault(f"{text}, which {hidden}: {advice}", refused=True))
    for rule in rules.freezing:
        text = f"its lifecycle rule {rule.name!r} moves {_below(rule)} to {rule.freezes}"
        found.append(BucketFault(f"{text}, where nobody can read them at once: records have to be", refused=False))
    if rules.untold:
        text = f"it did not tell its {', '.join(rules.untold)}: allow these credentials to ask, or look yourself"
        found.append(BucketFault(text, refused=False))
    elif not rules.aborting:
        text = "no lifecycle rule gives up uploads in parts that were never completed: let one do so after 7 days"
        found.append(BucketFault(f"{text} (AbortIncompleteMultipartUpload)", refused=False))
    return found


def _below(rule: LifecycleRule) -> str:
    return f"keys below {rule.prefix!r}" if rule.prefix else "every key"


def put_root_files(keys: Keys, config: ArchiveConfig) -> None:
    """Put what an archive holds from its beginning but for its settings, which come last of all.

    Raises:
        StoredWrong: The bucket took a lock and has none.
        StoreUnreachable, StoreFailed, StoreRefused: Not all was done.
    """
    files = archive_files()
    record = RootFiles({**files, SETTINGS: config_bytes(config)}).as_bytes()
    try:
        for name, content in sorted({**files, RECORD: record}.items()):
            keys.put(name, content)
        if isinstance(keys, WormKeys):
            keys.hold(files)
    except StoredWrong:
        if isinstance(keys, WormKeys):
            keys.keys.remove([*files, RECORD])  # what is not locked can go
        raise
