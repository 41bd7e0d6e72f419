"""The requests an archive in a bucket is made of: put at most once, read a part, copy within, list, lock, remove."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, cast

from botocore.exceptions import BotoCoreError, ClientError

from muniment.content import Entry, LogicalPath
from muniment.content.buckets import BucketRules, KeyVersion
from muniment.content.locks import KeyLock
from muniment.content.regular import open_regular
from muniment.content.requests import RequestCounts
from muniment.errors.stores import BadStore, ConditionsIgnored, KeyNotFound, KeyTaken, StoreFailed, StoreUnreachable
from muniment.stores.opening import Address, StoreContext
from muniment.stores.protocol import CHUNK, Lock, PutOptions, Stat, check_key
from muniment.stores.s3.client import UNKNOWN_CONDITION, RequestCounter, Service, code_of, may_go_on
from muniment.stores.s3.multipart import PART
from muniment.stores.s3.rules import rules_of
from muniment.stores.s3.signed import SignedPuts
from muniment.stores.s3.store import Body, S3Store

_REFUSALS: Final = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
_TRIES: Final = 6
_FIRST_PAUSE: Final = 0.2
_LARGEST_COPY: Final = 5 << 30
"""Bytes that one CopyObject takes; what is larger is copied in parts."""
_COPY_PART: Final = 1 << 30
_AT_ONCE: Final = 16
_NOTE: Final = "transaction"
_PUT: Final = PutOptions(digests=())
"""Of what goes in parts, each part has its digests; those of the whole would be compared with nothing."""


def open_keys(address: Address, context: StoreContext) -> S3Keys:
    """The keys at `s3://bucket/prefix?endpoint=…&region=…&profile=…`.

    Raises:
        BadStore: The address is none.
    """
    fields = address.only("endpoint", "region", "profile")
    if not address.host:
        raise BadStore(store=address.text, reason="it names no bucket")
    service = Service(context.keys, fields.get("endpoint"), fields.get("region"), fields.get("profile"))
    return S3Keys(address.host, address.path.strip("/"), service)


class S3Keys:
    """The keys below one prefix of a bucket, with a put that decides who was first."""

    def __init__(self, bucket: str, prefix: str, service: Service) -> None:
        """Connects to nothing yet.

        Raises:
            BadStore: The profile, region or endpoint is not one.
        """
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._counter = RequestCounter()
        self._store = S3Store(
            bucket,
            prefix,
            keys=service.keys,
            endpoint=service.endpoint,
            region=service.region,
            profile=service.profile,
            counter=self._counter,
        )
        self._clients = self._store.clients
        self._reading, self._deciding = self._clients.reading, self._clients.deciding
        # A bucket of Amazon's lies at an address that botocore finds out.
        self._signed = SignedPuts(self._clients, service.endpoint, bucket) if service.endpoint else None
        self._versioned = False  # until a removal shows that the bucket keeps versions

    def __str__(self) -> str:
        """Its address, without what the address asks for."""
        return str(self._store)

    def stat(self, key: str) -> Stat | None:
        """What is under a key, or None.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        return self._store.stat(key)

    def list(self, prefix: str = "", after: str = "") -> Iterator[Stat]:
        """What lies under keys that begin with `prefix`, in their order, from after `after`.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        return self._store.list(prefix, after)

    def put_once(self, key: str, source: bytes | Path, note: str = "", lock: KeyLock | None = None) -> bool:
        """Put a key where nothing is: True when what is there now is ours, False when it is another's.

        200 is ours; at 412 and 409 the key is read back, and so it is when no answer came (OBJECT-STORE §3). The
        client's own second tries are off: a lost answer would come back as a refusal of what is ours.

        Raises:
            StoreUnreachable: Nobody can tell. It may have happened.
            StoreFailed, StoreRefused: The store refused it.
            ConditionsIgnored: The store does not know the condition.
        """
        fields: dict[str, Any] = {"Bucket": self._bucket, "Key": self._name(key)}
        if note:
            fields["Metadata"] = {_NOTE: note}
        if lock is not None:
            if not note and isinstance(source, Path) and source.stat().st_size > PART:
                return self._put_once_in_parts(key, source, lock)
            fields |= _locking(source, lock)
        trouble: ClientError | BotoCoreError | None = None
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
            trouble = None
            try:
                with _opened(source) as body:
                    self._deciding.put_object(IfNoneMatch="*", Body=body, **fields)
            except ClientError as error:
                if code_of(error) in UNKNOWN_CONDITION:
                    raise ConditionsIgnored(store=str(self), key=key) from error
                if code_of(error) not in _REFUSALS and not may_go_on(error):
                    with self._clients.trouble(key):
                        raise
                trouble = error
            except BotoCoreError as error:
                trouble = error
            else:
                return True
            found = self._same(key, source)
            if found is not None:
                return found
        raise StoreUnreachable(store=str(self), reason=f"nobody can tell whether {key!r} was put ({trouble})")

    def _put_once_in_parts(self, key: str, source: Path, lock: KeyLock) -> bool:
        """Put a large file where nothing is: nothing is decided by it, for whoever puts it puts the same."""
        entry = Entry(LogicalPath(key), source.stat().st_size, {})
        try:
            receipt = self._store.put(key, entry, lambda: _opened(source), PutOptions(lock=Lock(lock.mode, lock.until)))
        except KeyTaken:
            found = self._same(key, source)
            if found is None:
                raise StoreUnreachable(store=str(self), reason=f"{key!r} is there and could not be read back") from None
            return found
        if not receipt.confirmed:
            self._store.check(receipt)
        return True

    def _same(self, key: str, source: bytes | Path) -> bool | None:
        """Whether what is under a key is `source`; None where nothing is, or where it could not be read now."""
        try:
            with self.open(key) as there, _opened(source) as ours:
                return _digest(there) == _digest(ours)
        except (KeyNotFound, StoreUnreachable, StoreFailed):
            return None

    def refuses_twice(self, key: str, source: bytes) -> bool:
        """Whether a key that is there is refused when it is put once more on the condition that nothing is there.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        with self._clients.trouble(key):
            try:
                self._deciding.put_object(Bucket=self._bucket, Key=self._name(key), Body=source, IfNoneMatch="*")
            except ClientError as error:
                if code_of(error) in {"412", "PreconditionFailed"}:
                    return True
                if code_of(error) in UNKNOWN_CONDITION:
                    return False
                raise
        return False

    def put(self, key: str, source: bytes | Path) -> None:
        """Put a key, whatever was there, with digests that the store compares, or else read back.

        Raises:
            StoredWrong: Something else arrived than was sent.
            StoreUnreachable, StoreFailed, StoreRefused: It was not done, or nobody can tell.
        """
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if self._signed is not None and size <= PART:
            with _opened(source) as stream:
                data = stream.read()
            if len(data) == size and self._signed.put(key, self._name(key), data):
                return
        receipt = self._store.replace(key, Entry(LogicalPath(key), size, {}), lambda: _opened(source), _PUT)
        if not receipt.confirmed:
            with _opened(source) as stream:
                whole = receipt.digests.get("sha256") or _digest(stream)
            self._store.check(replace(receipt, digests={"sha256": whole}))

    def note(self, key: str) -> str:
        """What was noted with a key when it was put once.

        Raises:
            KeyNotFound: There is nothing.
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        with self._clients.trouble(key):
            found = self._reading.head_object(Bucket=self._bucket, Key=self._name(key))
        return str(found.get("Metadata", {}).get(_NOTE, ""))

    def open(self, key: str, offset: int = 0, size: int | None = None) -> BinaryIO:
        """The bytes under a key from `offset` on, `size` of them or all.

        Raises:
            KeyNotFound: There is nothing.
            StoreUnreachable, StoreFailed, StoreRefused: It could not be opened.
        """
        if size is None:
            return self._store.open(key, offset)
        if not size:
            return io.BytesIO()
        wanted = f"bytes={offset}-{offset + size - 1}"
        with self._clients.trouble(key):
            found = self._reading.get_object(Bucket=self._bucket, Key=self._name(key), Range=wanted)
        body = Body(cast("IO[bytes]", found["Body"]), self._clients, str(self), key, found["ContentLength"])
        return io.BufferedReader(body, CHUNK)

    def folders(self, prefix: str) -> Sequence[str]:
        """The first segments behind `prefix`, which ends with a slash, of keys that go on behind them.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": self._prefix + prefix, "Delimiter": "/"}
        found: list[str] = []
        while True:
            with self._clients.trouble(prefix or "."):
                page = self._reading.list_objects_v2(**asked)
            below = (each["Prefix"] for each in page.get("CommonPrefixes", []))
            found += [each.removeprefix(asked["Prefix"]).rstrip("/") for each in below]
            if not page.get("IsTruncated"):
                return found
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def copy(self, source: str, target: str) -> None:
        """Copy a key within the bucket, in parts where it is larger than one request takes.

        Raises:
            KeyNotFound: There is nothing under `source`.
            StoreUnreachable, StoreFailed, StoreRefused: It was not done, or nobody can tell.
        """
        found = self.stat(source)
        if found is None:
            raise KeyNotFound(key=source, store=str(self))
        origin: Any = {"Bucket": self._bucket, "Key": self._name(source)}
        name = self._name(target)
        with self._clients.trouble(target):
            if found.size <= _LARGEST_COPY:
                self._reading.copy_object(Bucket=self._bucket, Key=name, CopySource=origin)
                return
            upload = self._reading.create_multipart_upload(Bucket=self._bucket, Key=name)["UploadId"]
            parts: list[Any] = []
            try:
                for number, start in enumerate(range(0, found.size, _COPY_PART), 1):
                    wanted = f"bytes={start}-{min(start + _COPY_PART, found.size) - 1}"
                    done = self._reading.upload_part_copy(
                        Bucket=self._bucket,
                        Key=name,
                        UploadId=upload,
                        PartNumber=number,
                        CopySource=origin,
                        CopySourceRange=wanted,
                    )
                    parts.append({"PartNumber": number, "ETag": done["CopyPartResult"]["ETag"]})
                self._reading.complete_multipart_upload(
                    Bucket=self._bucket, Key=name, UploadId=upload, MultipartUpload={"Parts": parts}
                )
            except BaseException:
                with contextlib.suppress(ClientError, BotoCoreError):
                    self._reading.abort_multipart_upload(Bucket=self._bucket, Key=name, UploadId=upload)
                raise

    def remove(self, keys: Iterable[str]) -> None:
        """Remove keys, in a bucket that keeps versions with every one of them; what is gone already is nothing to do.

        Raises:
            ChangeRefused: One of them is locked.
            StoreUnreachable, StoreFailed, StoreRefused: Not all was done.
        """
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="removing") as pool:
            for _ in pool.map(self._remove, keys):
                pass

    def _remove(self, key: str) -> None:
        if not self._versioned:
            if not self._delete(key).get("VersionId"):
                return
            self._versioned = True  # it put a mark on top, and kept what was there
        for each in self.versions(key):
            if each.key == key:
                self.remove_version(key, each.version)

    def remove_version(self, key: str, version: str) -> None:
        """Remove one version of a key for ever, or a mark that it was deleted.

        Raises:
            ChangeRefused: It is locked.
            StoreUnreachable, StoreFailed, StoreRefused: It was not done.
        """
        self._delete(key, VersionId=version)

    def _delete(self, key: str, **which: str) -> Mapping[str, Any]:
        with self._clients.trouble(key):
            try:
                return self._reading.delete_object(Bucket=self._bucket, Key=self._name(key), **which)  # type: ignore[arg-type]  # an empty dict is no keyword
            except ClientError as error:
                raise self._clients.kept(error, key) from error

    def versions(self, prefix: str = "") -> Iterator[KeyVersion]:
        """Every version of every key that begins with `prefix`, and every mark that one was deleted.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": self._prefix + prefix}
        while True:
            with self._clients.trouble(prefix or "."):
                page = self._reading.list_object_versions(**asked)
            found: list[tuple[Any, bool]] = [(each, False) for each in page.get("Versions", [])]
            for each, marker in found + [(each, True) for each in page.get("DeleteMarkers", [])]:
                key = each["Key"].removeprefix(self._prefix)
                yield KeyVersion(key, each["VersionId"], each["IsLatest"], marker)
            if not page.get("IsTruncated"):
                return
            asked |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    # --- locks, and what the bucket does on its own

    def locked(self, key: str) -> KeyLock | None:
        """The lock on a key, as the bucket has it.

        Raises:
            KeyNotFound: There is nothing.
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        found = self._store.locked(key)
        return KeyLock(found.mode, found.until) if found is not None and found.until else None

    def lock(self, key: str, lock: KeyLock) -> None:
        """Lock a key for longer than it is.

        Raises:
            ChangeRefused: It is locked for longer than this, or more strictly.
            StoreUnreachable, StoreFailed, StoreRefused: It was not done.
        """
        self._store.lock(key, Lock(lock.mode, lock.until))

    def requests_made(self) -> RequestCounts:
        """What was asked of the bucket so far, each try counted."""
        return self._counter.counts

    def rules(self) -> BucketRules:
        """The bucket's versions, locks and lifecycle; what these credentials may not ask for is named as untold."""
        return rules_of(self._reading, self._bucket, self._prefix)

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key, str(self), 1024 - len(self._prefix.encode()))


def _opened(source: bytes | Path) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else io.BufferedReader(open_regular(source))


def _locking(source: bytes | Path, lock: KeyLock) -> dict[str, Any]:
    """What goes with a put that locks: services want a digest of what comes."""
    with _opened(source) as stream:
        md5 = hashlib.md5(usedforsecurity=False)
        while piece := stream.read(CHUNK):
            md5.update(piece)
    return {
        "ContentMD5": base64.b64encode(md5.digest()).decode(),
        "ObjectLockMode": lock.mode.upper(),
        "ObjectLockRetainUntilDate": lock.end,
    }


def _digest(stream: BinaryIO) -> str:
    hasher = hashlib.sha256()
    while piece := stream.read(CHUNK):
        hasher.update(piece)
    return hasher.hexdigest()
