"""Large objects in parts, several at once, and going on with an upload that was broken off.

No note is kept of an upload: the service lists its unfinished ones and the parts they have. A part that is there
with the size and the digest of what would be sent is not sent again, so that nothing wrong can be gone on with.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from muniment.errors.stores import StoreFailed
from muniment.stores.protocol import Sent
from muniment.stores.s3.client import Clients, code_of, may_go_on

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, PartTypeDef

PART = 16 << 20
"""Bytes of one part; an object of up to that many goes in one request. S3 takes 10,000 parts of one object."""
MOST_PARTS = 10_000
_AT_ONCE = 4
"""Parts on their way at once: memory holds one more."""


@dataclass(frozen=True, slots=True)
class Checksums:
    """Digests of one body, as S3 wants them."""

    md5: bytes
    sha256: bytes

    @classmethod
    def of(cls, data: bytes) -> Checksums:
        """Those of `data`."""
        return cls(hashlib.md5(data, usedforsecurity=False).digest(), hashlib.sha256(data).digest())

    @property
    def fields(self) -> dict[str, Any]:
        """What goes with a request: services check the one they know."""
        return {
            "ContentMD5": base64.b64encode(self.md5).decode(),
            "ChecksumAlgorithm": "SHA256",
            "ChecksumSHA256": self.checksum,
        }

    @property
    def checksum(self) -> str:
        """The sha256 in base64."""
        return base64.b64encode(self.sha256).decode()

    def agree(self, answer: Any) -> bool:
        """Whether a service's answer repeats one of them: it is then what the service computed or compared."""
        stated = answer.get("ChecksumSHA256")
        if stated:
            return bool(stated == self.checksum)
        return bool(answer.get("ETag", "").strip('"') == self.md5.hex())


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The parts of an upload that is ready to be completed."""

    id: str
    parts: list[CompletedPartTypeDef]
    confirmed: bool


class Multipart:
    """Uploads of one bucket."""

    def __init__(self, clients: Clients, bucket: str, store: str, part: int) -> None:
        self._clients = clients
        self._client = clients.reading
        self._bucket = bucket
        self._store = store
        self._part = part

    def part_size(self, size: int | None) -> int:
        """Bytes of a part, so that an object of `size` has no more parts than a service takes."""
        return max(self._part, -(-(size or 0) // (MOST_PARTS - 100)))

    def upload(self, name: str, pieces: Iterator[bytes], sent: Sent, options: dict[str, Any], key: str) -> Uploaded:
        """Send `pieces` as the parts of one object, and tell `sent` of each; the parts the service has are left out.

        What was sent stays at the service when the line breaks, to be gone on with; after any other error it is
        taken back.

        Raises:
            StoreFailed: It has too many parts.
            ClientError, BotoCoreError: The service failed.
        """
        found = self._unfinished(name)
        upload = found or self._begin(name, options)
        try:
            there = self._parts(name, upload) if found is not None else {}
            parts, confirmed = self._send(name, upload, pieces, sent, there, key)
        except BaseException as error:
            if not may_go_on(error):
                self.give_up(name, upload)
            raise
        return Uploaded(upload, parts, confirmed)

    def give_up(self, name: str, upload: str) -> None:
        """Take back what was sent, as far as the service lets us."""
        with contextlib.suppress(ClientError, BotoCoreError):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=name, UploadId=upload)

    def _send(
        self,
        name: str,
        upload: str,
        pieces: Iterator[bytes],
        sent: Sent,
        there: dict[int, PartTypeDef],
        key: str,
    ) -> tuple[list[CompletedPartTypeDef], bool]:
        waiting: list[Future[tuple[CompletedPartTypeDef, bool]]] = []
        done: list[tuple[CompletedPartTypeDef, bool]] = []
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="parts") as pool:
            try:
                for number, data in enumerate(pieces, 1):
                    if number > MOST_PARTS:
                        raise StoreFailed(store=self._store, key=key, reason=f"it has over {MOST_PARTS} parts")
                    waiting.append(pool.submit(self._send_part, name, upload, number, data, there.get(number)))
                    sent.update(data)
                    del data
                    while len(waiting) >= _AT_ONCE:
                        done.append(waiting.pop(0).result())
                done += [each.result() for each in waiting]
            finally:
                for each in waiting:
                    each.cancel()
        return [part for part, _ in done], all(confirmed for _, confirmed in done)

    def _send_part(
        self, name: str, upload: str, number: int, data: bytes, there: PartTypeDef | None
    ) -> tuple[CompletedPartTypeDef, bool]:
        sums = Checksums.of(data)
        if there is not None and there.get("Size") == len(data) and sums.agree(there):
            return _completed(number, there, sums), True
        answer = self._clients.sending.upload_part(
            Bucket=self._bucket, Key=name, UploadId=upload, PartNumber=number, Body=data, **sums.fields
        )
        return _completed(number, answer, sums), sums.agree(answer)

    def _begin(self, name: str, options: dict[str, Any]) -> str:
        answer = self._client.create_multipart_upload(
            Bucket=self._bucket, Key=name, ChecksumAlgorithm="SHA256", **options
        )
        return answer["UploadId"]

    def _unfinished(self, name: str) -> str | None:
        """The newest upload of this key that nobody finished."""
        try:
            answer = self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=name)
        except ClientError as error:
            if may_go_on(error):
                raise
            return None  # not every key may list uploads, and not every service can
        mine = [found for found in answer.get("Uploads", []) if found.get("Key") == name]
        return max(mine, key=lambda found: found["Initiated"])["UploadId"] if mine else None

    def _parts(self, name: str, upload: str) -> dict[int, PartTypeDef]:
        found: dict[int, PartTypeDef] = {}
        marker = 0
        while True:
            try:
                page = self._client.list_parts(Bucket=self._bucket, Key=name, UploadId=upload, PartNumberMarker=marker)
            except ClientError as error:
                if code_of(error) != "NoSuchUpload":
                    raise
                return {}
            found |= {part["PartNumber"]: part for part in page.get("Parts", [])}
            if not page.get("IsTruncated"):
                return found
            marker = int(page["NextPartNumberMarker"])


def _completed(number: int, answer: Any, sums: Checksums) -> CompletedPartTypeDef:
    part: CompletedPartTypeDef = {"PartNumber": number, "ETag": answer["ETag"]}
    if answer.get("ChecksumSHA256"):  # named again at the end only where the service has taken note of it
        part["ChecksumSHA256"] = sums.checksum
    return part
