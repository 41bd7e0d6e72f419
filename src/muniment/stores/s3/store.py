"""A store in an S3 bucket: written once by `If-None-Match`, each part sent with its digests, proved by reading back.

Services differ in what they honour. A server that does not know `If-None-Match` is told by its answer, and the key is
looked at before; a digest a service repeats confirms what arrived, and where none is repeated the bytes are read.
Versions are left alone: what is under a key is the version that was put, and a newer one is a finding.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import IO, Any, BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError

from muniment.content import Entry
from muniment.content.locks import LockMode
from muniment.errors.stores import BadStore, KeyNotFound, KeyTaken, StoredWrong, StoreNotReady, StoreUnreachable
from muniment.stores.opening import Address, StoreContext
from muniment.stores.protocol import (
    CHUNK,
    DEFAULTS,
    Capabilities,
    Lock,
    Open,
    PutOptions,
    Receipt,
    Sent,
    Stat,
    Store,
    check_key,
    compare,
    read_back,
)
from muniment.stores.s3.client import UNKNOWN_CONDITION, Clients, RequestCounter, Service, code_of, may_go_on
from muniment.stores.s3.multipart import PART, Checksums, Multipart, Uploaded

_COLD = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes whose objects have to be restored before they are read."""
_HOURS = {
    ("GLACIER", "Expedited"): 1,
    ("GLACIER", "Standard"): 5,
    ("GLACIER", "Bulk"): 12,
    ("DEEP_ARCHIVE", "Standard"): 12,
    ("DEEP_ARCHIVE", "Bulk"): 48,
}
"""Hours within which Amazon says that a restore is done."""
_STEP = 1 << 20


def open_at(address: Address, context: StoreContext) -> S3Store:
    """The store at `s3://bucket/prefix?endpoint=…&region=…&profile=…&class=…&tier=…&days=…`.

    `class` is the storage class; `tier` and `days` say how a cold object is restored, and for how long.

    Raises:
        BadStore: The address is none.
    """
    fields = address.only("endpoint", "region", "profile", "class", "tier", "days")
    days = fields.get("days", "7")
    if not address.host or not days.isdecimal() or not int(days):
        raise BadStore(store=address.text, reason="it names no bucket, or `days` is no number of days")
    return S3Store(
        address.host,
        address.path.strip("/"),
        keys=context.keys,
        endpoint=fields.get("endpoint"),
        region=fields.get("region"),
        profile=fields.get("profile"),
        storage_class=fields.get("class"),
        tier=fields.get("tier", "Standard"),
        days=int(days),
    )


class S3Store(Store):
    """Keys below `prefix` in one bucket."""

    provider = "s3"

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        keys: Mapping[str, str],
        endpoint: str | None = None,
        region: str | None = None,
        profile: str | None = None,
        part: int = PART,
        storage_class: str | None = None,
        tier: str = "Standard",
        days: int = 7,
        counter: RequestCounter | None = None,
    ) -> None:
        """Connects to nothing yet; `keys` are `access_key` and `secret_key`, or empty for boto3's own.

        Raises:
            BadStore: The profile, region or endpoint is not one.
        """
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._conditional = True
        self._tried = False
        self._refuses = False  # whether the service was seen to refuse a put because something was there
        self._amazon = endpoint is None
        self._class, self._tier, self._days = storage_class, tier, days
        self._clients = Clients(Service(keys, endpoint, region, profile), str(self), counter)
        self._reading, self._deciding = self._clients.reading, self._clients.deciding
        self._multipart = Multipart(self._clients, bucket, str(self), part)

    @property
    def clients(self) -> Clients:
        """The clients that ask the service, for whoever asks more of it: each takes 40 ms of a processor to make."""
        return self._clients

    @property
    def container(self) -> str:
        """The bucket, and the prefix below it."""
        return f"{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def at_once(self) -> int:
        """Many: what a small request takes is mostly waiting."""
        return 32

    @property
    def capabilities(self) -> Capabilities:
        """Links, checksums, locks; of races AWS says that it decides them, of other services that is not known."""
        cold = self._class in _COLD
        return Capabilities(
            links=True,
            checksums=True,
            exclusive=self._conditional and self._amazon,
            removes=True,
            replaces=True,
            locks=True,
            packs=cold,
            cold=cold,
        )

    # --- putting

    def put(self, key: str, source: Entry, open: Open, options: PutOptions = DEFAULTS) -> Receipt:
        """Store what `open` gives under `key`, in one request or in parts; an upload broken off is gone on with.

        Raises:
            MunimentError: As `Store.put`.
        """
        small = source.size is not None and source.size < self._multipart.part_size(source.size)
        if not (small and self._refuses) and self.stat(key) is not None:
            raise KeyTaken(key=key, store=str(self))
        return self._put(key, source, open, options, once=True)

    def replace(self, key: str, source: Entry, open: Open, options: PutOptions = DEFAULTS) -> Receipt:
        """Put a derived document anew; where the bucket keeps versions, the former stays one.

        Raises:
            MunimentError: As `Store.replace`.
        """
        return self._put(key, source, open, options, once=False)

    def _put(self, key: str, source: Entry, open: Open, options: PutOptions, *, once: bool) -> Receipt:
        receipt = self._send(key, source, open, options, once=once)
        if options.lock is not None and self.locked(key) != options.lock:
            self.lock(
                key, options.lock
            )  # not every service locks what comes in parts, and one gone on with may be older
        return receipt

    def _send(self, key: str, source: Entry, open: Open, options: PutOptions, *, once: bool) -> Receipt:
        name, size = self._name(key), self._multipart.part_size(source.size)
        asked = self._asked(options)
        with open() as stream, self._clients.trouble(key):
            first = _read(stream, size)
            following = _read(stream, size) if len(first) == size else b""
            if following:
                pieces = _pieces(stream, size, first, following)
                del first, following
                sent = Sent(key, source, str(self), options.digests)  # each part has digests of its own
                return self._in_parts(key, name, pieces, sent, options, once=once)
            sent = Sent(key, source, str(self))
            sent.update(first)
            receipt = sent.receipt()
            sums = Checksums(bytes.fromhex(receipt.digests["md5"]), bytes.fromhex(receipt.digests["sha256"]))
            answer = self._once(key, {"Key": name, "Body": first, **sums.fields, **asked}, once=once)
            return replace(receipt, version=_version(answer), confirmed=sums.agree(answer))

    def _once(self, key: str, fields: dict[str, Any], *, once: bool) -> object:
        """Put in one request, on the condition that nothing is there."""
        if once and self._conditional:
            try:
                answer = self._deciding.put_object(Bucket=self._bucket, IfNoneMatch="*", **fields)
            except ClientError as error:
                if code_of(error) not in UNKNOWN_CONDITION:
                    raise
                self._conditional = False
            else:
                known = self._tried or "ObjectLockMode" in fields
                return answer if known else self._try_condition(answer, fields)
        if once and self.stat(key) is not None:
            raise KeyTaken(key=key, store=str(self))
        return self._deciding.put_object(Bucket=self._bucket, **fields)

    def _try_condition(self, answer: Any, fields: dict[str, Any]) -> Any:
        """Put the same once more, on the same condition: a service that refuses need not be asked before each put.

        One that knows no conditions takes it for what it is, the same; what it answers then counts.
        """
        self._tried = True
        try:
            return self._deciding.put_object(Bucket=self._bucket, IfNoneMatch="*", **fields)
        except (ClientError, BotoCoreError) as error:
            self._refuses = isinstance(error, ClientError) and code_of(error) in {"412", "PreconditionFailed"}
            return answer

    def _in_parts(
        self, key: str, name: str, pieces: Iterator[bytes], sent: Sent, options: PutOptions, *, once: bool
    ) -> Receipt:
        done = self._multipart.upload(name, pieces, sent, self._asked(options), key)
        try:
            receipt = sent.receipt()
            answer = self._complete(key, name, done, once=once)
        except BaseException as error:
            if not may_go_on(error):
                self._multipart.give_up(name, done.id)
            raise
        return replace(receipt, version=_version(answer), confirmed=done.confirmed)

    def _complete(self, key: str, name: str, done: Uploaded, *, once: bool) -> object:
        fields: dict[str, Any] = {
            "Bucket": self._bucket,
            "Key": name,
            "UploadId": done.id,
            "MultipartUpload": {"Parts": done.parts},
        }
        if once and self._conditional:
            try:
                return self._deciding.complete_multipart_upload(**fields, IfNoneMatch="*")
            except ClientError as error:
                if code_of(error) not in UNKNOWN_CONDITION:
                    raise
                self._conditional = False
        if once and self.stat(key) is not None:
            raise KeyTaken(key=key, store=str(self))
        return self._deciding.complete_multipart_upload(**fields)

    def _asked(self, options: PutOptions) -> dict[str, object]:
        """What goes with a put: storage class and lock."""
        asked: dict[str, object] = {}
        if self._class is not None and not options.warm:
            asked["StorageClass"] = self._class
        if options.lock is not None and options.lock.until:
            asked |= {
                "ObjectLockMode": options.lock.mode.upper(),
                "ObjectLockRetainUntilDate": datetime.fromisoformat(options.lock.until),
            }
        if options.lock is not None and options.lock.hold:
            asked["ObjectLockLegalHoldStatus"] = "ON"
        return asked

    # --- looking

    def check(self, receipt: Receipt) -> None:
        """Read back what was put and compare it; a version that is not the one put is wrong, whatever it holds.

        Raises:
            MunimentError: As `Store.check`.
        """
        self._same_version(receipt)
        read_back(self, receipt, str(self))

    def confirm(self, receipt: Receipt) -> bool:
        """Compare with the sha256 or the md5 the service states; of an object in parts it states neither whole.

        Raises:
            MunimentError: As `Store.confirm`.
        """
        with self._clients.trouble(receipt.key):
            found = self._reading.head_object(Bucket=self._bucket, Key=self._name(receipt.key), ChecksumMode="ENABLED")
        expected = {"size": str(receipt.size)} | ({"its version": receipt.version} if receipt.version else {})
        stated = {"size": str(found["ContentLength"]), "its version": _version(found)}
        sums = Checksums(bytes.fromhex(receipt.digests.get("md5", "")), bytes.fromhex(receipt.digests["sha256"]))
        compare(receipt.key, str(self), stated, expected)
        checksum = found.get("ChecksumSHA256", "")
        if checksum and "-" not in checksum:
            compare(receipt.key, str(self), {"sha256": checksum}, {"sha256": sums.checksum})
            return True
        return sums.agree({"ETag": found.get("ETag", "")})

    def stat(self, key: str) -> Stat | None:
        """What is under a key, or None.

        Raises:
            MunimentError: As `Store.stat`.
        """
        try:
            with self._clients.trouble(key):
                found = self._reading.head_object(Bucket=self._bucket, Key=self._name(key))
        except KeyNotFound:
            return None
        return Stat(key, found["ContentLength"], _when(found["LastModified"]), version=_version(found))

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """The bytes under a key from `offset` on. What lies in a cold class is asked for, and comes later.

        Raises:
            MunimentError: As `Store.open`.
        """
        wanted = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            with self._clients.trouble(key):
                try:
                    found = self._reading.get_object(Bucket=self._bucket, Key=self._name(key), **wanted)  # type: ignore[arg-type]  # an empty dict is no keyword
                except ClientError as error:
                    if code_of(error) not in {"InvalidRange", "416"}:
                        raise
                    return io.BytesIO()  # at its very end, or after it
        except StoreNotReady:
            until = self.recall(key)
            reason = "it lies in a cold storage class and was asked for"
            raise StoreNotReady(store=str(self), key=key, until=until, reason=reason) from None
        body = Body(cast("IO[bytes]", found["Body"]), self._clients, str(self), key, found["ContentLength"])
        return io.BufferedReader(body, CHUNK)

    def list(self, prefix: str = "", after: str = "") -> Iterator[Stat]:
        """What lies under keys that begin with `prefix`, in order.

        Raises:
            MunimentError: As `Store.list`.
        """
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": self._prefix + prefix}
        if after:
            asked["StartAfter"] = self._prefix + after
        while True:
            with self._clients.trouble(prefix or "."):
                page = self._reading.list_objects_v2(**asked)
            for found in page.get("Contents", []):
                yield Stat(found["Key"].removeprefix(self._prefix), found["Size"], _when(found["LastModified"]))
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def recall(self, key: str) -> str:
        """Ask for an object of a cold class; the time by which it is expected, '' when it can be read.

        Raises:
            MunimentError: As `Store.recall`.
        """
        with self._clients.trouble(key):
            found = self._reading.head_object(Bucket=self._bucket, Key=self._name(key))
            storage = str(found.get("StorageClass", ""))
            under_way = 'ongoing-request="true"' in found.get("Restore", "")
            if storage not in _COLD or (found.get("Restore") and not under_way):
                return ""
            if not under_way:
                wish: Any = {"Days": self._days, "GlacierJobParameters": {"Tier": self._tier}}
                try:
                    self._reading.restore_object(Bucket=self._bucket, Key=self._name(key), RestoreRequest=wish)
                except ClientError as error:
                    if code_of(error) != "RestoreAlreadyInProgress":
                        raise
        expected = datetime.now(UTC) + timedelta(hours=_HOURS.get((storage, self._tier), 48))
        return _when(expected.replace(microsecond=0))

    # --- keeping and letting go

    def preflight(self, options: PutOptions = DEFAULTS, size: int = 0) -> None:
        """Ask the bucket whether it is there, is ours, and can lock when a lock is wanted.

        Raises:
            MunimentError: As `Store.preflight`.
        """
        del size
        try:
            with self._clients.trouble("."):
                self._reading.head_bucket(Bucket=self._bucket)
        except KeyNotFound:
            raise BadStore(store=str(self), reason=f"there is no bucket {self._bucket!r}") from None
        if options.lock is None:
            return
        reason = "a lock is asked for, and the bucket was made without Object Lock"
        with self._clients.trouble("."):
            try:
                found = self._reading.get_object_lock_configuration(Bucket=self._bucket)
            except ClientError as error:
                if code_of(error) in {"ObjectLockConfigurationNotFoundError", "404", "501", "NotImplemented"}:
                    raise BadStore(store=str(self), reason=reason) from error
                raise
        if found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            raise BadStore(store=str(self), reason=reason)

    def lock(self, key: str, lock: Lock) -> None:
        """Lock an object for longer, and set or lift its legal hold.

        Raises:
            ChangeRefused: It is locked for longer than this, or in a mode that cannot be left.
            MunimentError: As `Store.lock`.
        """
        name = self._name(key)
        with self._clients.trouble(key):
            try:
                if lock.until:
                    self._reading.put_object_retention(
                        Bucket=self._bucket,
                        Key=name,
                        Retention={
                            "Mode": "COMPLIANCE" if lock.mode == "compliance" else "GOVERNANCE",
                            "RetainUntilDate": datetime.fromisoformat(lock.until),
                        },
                    )
                found = self.locked(key)
                if lock.hold or (found is not None and found.hold):
                    status: Any = {"Status": "ON" if lock.hold else "OFF"}
                    self._reading.put_object_legal_hold(Bucket=self._bucket, Key=name, LegalHold=status)
            except ClientError as error:
                raise self._clients.kept(error, key) from error

    def shorten(self, key: str, lock: Lock) -> None:
        """Let a lock in governance end earlier: the bucket wants to be told so, and the right to it.

        Raises:
            ChangeRefused: It is in compliance, or these credentials may not.
            MunimentError: As `Store.shorten`.
        """
        with self._clients.trouble(key):
            try:
                self._reading.put_object_retention(
                    Bucket=self._bucket,
                    Key=self._name(key),
                    Retention={
                        "Mode": "COMPLIANCE" if lock.mode == "compliance" else "GOVERNANCE",
                        "RetainUntilDate": datetime.fromisoformat(lock.until),
                    },
                    BypassGovernanceRetention=True,
                )
            except ClientError as error:
                raise self._clients.kept(error, key) from error

    def locked(self, key: str) -> Lock | None:
        """The lock on an object, as the bucket has it.

        Raises:
            MunimentError: As `Store.locked`.
        """
        with self._clients.trouble(key):
            found = self._reading.head_object(Bucket=self._bucket, Key=self._name(key))
        hold = found.get("ObjectLockLegalHoldStatus") == "ON"
        mode = str(found.get("ObjectLockMode", "")).lower()
        if mode:
            return Lock(cast("LockMode", mode), _when(found["ObjectLockRetainUntilDate"]), hold)
        return Lock(hold=True) if hold else None

    def remove(self, key: str, version: str = "") -> None:
        """Remove an object, and where the bucket keeps versions that version, for ever.

        Raises:
            ChangeRefused: It is locked.
            MunimentError: As `Store.remove`.
        """
        found = self.stat(key)
        which = {"VersionId": wanted} if (wanted := version or (found.version if found else "")) else {}
        with self._clients.trouble(key):
            try:
                self._reading.delete_object(Bucket=self._bucket, Key=self._name(key), **which)  # type: ignore[arg-type]  # an empty dict is no keyword
            except ClientError as error:
                raise self._clients.kept(error, key) from error

    def link(self, key: str, *, life: float, disposition: str = "") -> str:
        """A presigned address for `life` seconds.

        Raises:
            MunimentError: It could not be signed.
        """
        fields = {"Bucket": self._bucket, "Key": self._name(key)}
        if disposition:
            fields |= {"ResponseContentDisposition": disposition}
        fields |= {"ResponseContentType": "application/octet-stream"}
        with self._clients.trouble(key):
            life = max(1, int(life))
            return str(self._reading.generate_presigned_url("get_object", Params=fields, ExpiresIn=life))

    def __str__(self) -> str:
        return f"s3://{self.container}"

    def _name(self, key: str) -> str:
        longest = 1024 - len(self._prefix.encode())
        return self._prefix + check_key(key, str(self), longest)

    def _same_version(self, receipt: Receipt) -> None:
        if not receipt.version:
            return
        found = self.stat(receipt.key)
        if found is None:
            raise KeyNotFound(key=receipt.key, store=str(self))
        if found.version != receipt.version:
            what = "its version"
            raise StoredWrong(
                store=str(self), key=receipt.key, what=what, found=found.version, expected=receipt.version
            )


class Body(io.RawIOBase):
    """The body of an answer; a connection that breaks, or ends early, is an error with our name."""

    def __init__(self, body: IO[bytes], clients: Clients, store: str, key: str, size: int) -> None:
        super().__init__()
        self._body = body
        self._clients = clients
        self._store = store
        self._key = key
        self._left = size

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """Read on.

        Raises:
            StoreUnreachable, StoreFailed: The connection broke.
        """
        with self._clients.trouble(self._key):
            data = self._body.read(min(len(buffer), _STEP))
        if self._clients.counter is not None:
            self._clients.counter.receive(len(data))
        self._left -= len(data)
        if not data and self._left > 0:
            raise StoreUnreachable(store=self._store, reason=f"{self._key!r} broke off, {self._left} bytes short")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Let the connection go."""
        with contextlib.suppress(OSError):
            self._body.close()
        super().close()


def _pieces(stream: BinaryIO, size: int, *begun: bytes) -> Iterator[bytes]:
    """The parts of an object, of which the first were read already."""
    waiting = list(begun)
    while waiting:
        yield waiting.pop(0)
    while piece := _read(stream, size):
        yield piece


def _read(stream: BinaryIO, size: int) -> bytes:
    """`size` bytes, or what is left."""
    pieces: list[bytes] = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces) if len(pieces) != 1 else pieces[0]


def _version(answer: Any) -> str:
    """The version an answer names, '' where the bucket keeps none."""
    found = str(answer.get("VersionId") or "")
    return "" if found == "null" else found


def _when(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
