"""A store in an S3 bucket: written once by `If-None-Match`, each part sent with its sha256, proved by reading back.

Services differ in what they honour. A server that does not know `If-None-Match` is told by its answer, and the key is
looked at before; what a server says of checksums is never the proof, `check` reads the bytes.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
from collections.abc import Iterator, Mapping
from typing import IO, Any, BinaryIO, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, HTTPClientError

from muniment.content import Entry
from muniment.errors.base import MunimentError
from muniment.errors.stores import (
    BadStore,
    KeyNotFound,
    KeyTaken,
    StoreFailed,
    StoreFull,
    StoreRefused,
    StoreUnreachable,
)
from muniment.stores.protocol import CHUNK, Capabilities, Open, Receipt, Sent, Stat, check_key, read_back

PART = 16 << 20
"""Bytes of one part; an object of up to that many goes in one request. S3 takes 10,000 parts of one object."""
_MOST_PARTS = 10_000

Parts = list[dict[str, Any]]

_GONE = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchVersion"})
_TAKEN = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
_UNKNOWN_CONDITION = frozenset({"501", "NotImplemented"})
_REFUSED = frozenset(
    {"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket", "AllAccessDisabled"}
)
_FULL = frozenset({"QuotaExceeded", "507", "InsufficientStorage"})


class S3Store:
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
    ) -> None:
        """Connects to nothing yet; `keys` are `access_key` and `secret_key`, or empty for boto3's own.

        Raises:
            BadStore: The profile, region or endpoint is not one.
        """
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._part = part
        self._conditional = True
        self._amazon = endpoint is None
        try:
            session = boto3.session.Session(
                aws_access_key_id=keys.get("access_key"),
                aws_secret_access_key=keys.get("secret_key"),
                region_name=region or (None if endpoint is None else "us-east-1"),
                profile_name=profile,
            )
            config = Config(
                retries={"max_attempts": 3, "mode": "standard"},
                s3={"addressing_style": "path" if endpoint else "auto"},
                signature_version="s3v4",
                connect_timeout=15,
                read_timeout=120,
                max_pool_connections=32,
                # Some services refuse what newer clients send unasked; we send the checksum of each part ourselves.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            )
            self._client: Any = session.client("s3", endpoint_url=endpoint, config=config)
        except (BotoCoreError, ValueError) as error:
            raise BadStore(store=f"s3://{bucket}", reason=str(error)) from error

    @property
    def container(self) -> str:
        """The bucket, and the prefix below it."""
        return f"{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def capabilities(self) -> Capabilities:
        """Links, checksums; of races AWS says that it decides them, of other services that is not known."""
        return Capabilities(links=True, checksums=True, exclusive=self._conditional and self._amazon)

    def put(self, key: str, source: Entry, open: Open) -> Receipt:
        """Store what `open` gives under `key`, in one request or in parts.

        Raises:
            MunimentError: As `Store.put`.
        """
        name = self._name(key)
        if self.stat(key) is not None:
            raise KeyTaken(key=key, store=str(self))
        sent = Sent(key, source, str(self))
        with open() as stream, self._trouble(key):
            first = _read(stream, self._part)
            following = _read(stream, self._part) if len(first) == self._part else b""
            sent.update(first)
            if not following:
                receipt = sent.receipt()
                self._once(key, {"Key": name, "Body": first, **_checksum(first)})
                return receipt
            return self._in_parts(key, name, first, following, stream, sent)

    def flush(self) -> None:
        """Nothing: S3 answers when the object is stored."""

    def check(self, receipt: Receipt) -> None:
        """Read back what was put and compare it.

        Raises:
            MunimentError: As `Store.check`.
        """
        read_back(self, receipt, str(self))

    def stat(self, key: str) -> Stat | None:
        """What is under a key, or None.

        Raises:
            MunimentError: As `Store.stat`.
        """
        try:
            with self._trouble(key):
                found = self._client.head_object(Bucket=self._bucket, Key=self._name(key))
        except KeyNotFound:
            return None
        return Stat(key, found["ContentLength"], found["LastModified"].isoformat().replace("+00:00", "Z"))

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """The bytes under a key from `offset` on.

        Raises:
            MunimentError: As `Store.open`.
        """
        wanted = {"Range": f"bytes={offset}-"} if offset else {}
        with self._trouble(key):
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._name(key), **wanted)
            except ClientError as error:
                if _code(error) not in {"InvalidRange", "416"}:
                    raise
                return io.BytesIO()  # at its very end, or after it
        body = _Body(cast("IO[bytes]", found["Body"]), self, key)
        return cast("BinaryIO", io.BufferedReader(body, CHUNK))

    def list(self, prefix: str = "", after: str = "") -> Iterator[Stat]:
        """What lies under keys that begin with `prefix`, in order.

        Raises:
            MunimentError: As `Store.list`.
        """
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": self._prefix + prefix}
        if after:
            asked["StartAfter"] = self._prefix + after
        while True:
            with self._trouble(prefix or "."):
                page = self._client.list_objects_v2(**asked)
            for found in page.get("Contents", []):
                when = found["LastModified"].isoformat().replace("+00:00", "Z")
                yield Stat(found["Key"].removeprefix(self._prefix), found["Size"], when)
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def link(self, key: str, *, life: float, disposition: str = "") -> str:
        """A presigned address for `life` seconds.

        Raises:
            MunimentError: It could not be signed.
        """
        fields = {"Bucket": self._bucket, "Key": self._name(key)}
        if disposition:
            fields |= {"ResponseContentDisposition": disposition}
        fields |= {"ResponseContentType": "application/octet-stream"}
        with self._trouble(key):
            life = max(1, int(life))
            return str(self._client.generate_presigned_url("get_object", Params=fields, ExpiresIn=life))

    def __str__(self) -> str:
        return f"s3://{self.container}"

    def _name(self, key: str) -> str:
        longest = 1024 - len(self._prefix.encode())
        return self._prefix + check_key(key, str(self), longest)

    def _once(self, key: str, fields: dict[str, Any]) -> None:
        """Put in one request, on the condition that nothing is there."""
        if self._conditional:
            try:
                self._client.put_object(Bucket=self._bucket, IfNoneMatch="*", **fields)
            except ClientError as error:
                if _code(error) not in _UNKNOWN_CONDITION:
                    raise
                self._conditional = False
            else:
                return
        if self.stat(key) is not None:
            raise KeyTaken(key=key, store=str(self))
        self._client.put_object(Bucket=self._bucket, **fields)

    def _in_parts(self, key: str, name: str, first: bytes, second: bytes, stream: BinaryIO, sent: Sent) -> Receipt:
        where = {"Bucket": self._bucket, "Key": name}
        upload = self._client.create_multipart_upload(**where, ChecksumAlgorithm="SHA256")["UploadId"]
        parts: Parts = []
        try:
            data = first
            while data:
                self._refuse_endless(key, len(parts))
                number = len(parts) + 1
                check = _checksum(data)
                done = self._client.upload_part(**where, UploadId=upload, PartNumber=number, Body=data, **check)
                part = {"PartNumber": number, "ETag": done["ETag"]}
                # Named again at the end only where the server has taken note of it.
                part |= {"ChecksumSHA256": check["ChecksumSHA256"]} if done.get("ChecksumSHA256") else {}
                parts.append(part)
                data = second if number == 1 else _read(stream, self._part)
                sent.update(data)
            receipt = sent.receipt()
            self._complete(key, where, upload, parts)
        except BaseException:
            with contextlib.suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(**where, UploadId=upload)
            raise
        return receipt

    def _refuse_endless(self, key: str, parts: int) -> None:
        if parts == _MOST_PARTS:
            raise StoreFailed(store=str(self), key=key, reason=f"it has over {_MOST_PARTS} parts")

    def _complete(self, key: str, where: dict[str, str], upload: str, parts: Parts) -> None:
        fields: dict[str, Any] = {**where, "UploadId": upload, "MultipartUpload": {"Parts": parts}}
        if self._conditional:
            try:
                self._client.complete_multipart_upload(**fields, IfNoneMatch="*")
            except ClientError as error:
                if _code(error) not in _UNKNOWN_CONDITION:
                    raise
                self._conditional = False
            else:
                return
        if self.stat(key) is not None:
            raise KeyTaken(key=key, store=str(self))
        self._client.complete_multipart_upload(**fields)

    @contextlib.contextmanager
    def _trouble(self, key: str) -> Iterator[None]:
        """Give the client's errors our names.

        Raises:
            MunimentError: As the methods of `Store`.
        """
        try:
            yield
        except ClientError as error:
            raise self._named(error, key) from error
        except (EndpointConnectionError, HTTPClientError) as error:
            raise StoreUnreachable(store=str(self), reason=str(error)) from error
        except BotoCoreError as error:
            raise StoreFailed(store=str(self), key=key, reason=str(error)) from error

    def _named(self, error: ClientError, key: str) -> MunimentError:
        code = _code(error)
        if code in _GONE:
            return KeyNotFound(key=key, store=str(self))
        if code in _TAKEN:
            return KeyTaken(key=key, store=str(self))
        if code in _FULL:
            return StoreFull(store=str(self), key=key)
        reason = str(error.response.get("Error", {}).get("Message") or code)
        if code in _REFUSED:
            return StoreRefused(store=str(self), key=key, reason=f"{code}: {reason}")
        return StoreFailed(store=str(self), key=key, reason=f"{code}: {reason}")


class _Body(io.RawIOBase):
    """The body of an answer; a connection that breaks is an error with our name."""

    def __init__(self, body: IO[bytes], store: S3Store, key: str) -> None:
        super().__init__()
        self._body = body
        self._store = store
        self._key = key

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """Read on.

        Raises:
            StoreUnreachable, StoreFailed: The connection broke.
        """
        with self._store._trouble(self._key):  # noqa: SLF001 - one with its store
            data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Let the connection go."""
        self._body.close()
        super().close()


def _read(stream: BinaryIO, size: int) -> bytes:
    """`size` bytes, or what is left."""
    pieces: list[bytes] = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _checksum(data: bytes) -> dict[str, Any]:
    value = base64.b64encode(hashlib.sha256(data).digest()).decode()
    return {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": value}


def _code(error: ClientError) -> str:
    found = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return str(found or status)
