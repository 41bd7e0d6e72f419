"""Archives whose only home is a bucket: opened and made by their address, `s3://bucket/prefix?endpoint=…`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muniment.app.archive import PackageArchive
from muniment.archive import Agent
from muniment.archive import BucketArchive as ArchiveInBucket
from muniment.content.checks import IngestChecks
from muniment.content.requests import Prices
from muniment.errors.archive import NotAnArchive
from muniment.settings import cache_folder
from muniment.stores.opening import StoreContext, parse_address

if TYPE_CHECKING:
    from muniment.stores.s3.keys import S3Keys


class BucketArchive(PackageArchive, ArchiveInBucket):
    """The archive in a bucket, with what needs more than it knows of itself: packages out and in, retention."""


def open_bucket(
    place: str,
    *,
    state: str | os.PathLike[str] | None = None,
    agent: Agent | None = None,
    workers: int | None = None,
    checks: IngestChecks | None = None,
) -> BucketArchive:
    """Open the archive at an address. Retentions and policies are those of the control database in `state`, if named.

    Raises:
        MunimentError: As `BucketArchive`, `keys_at` and `state_of_buckets`.
    """
    try:
        opened = BucketArchive(keys_at(place), state_of_buckets(state), agent=agent, workers=workers, checks=checks)
    except NotAnArchive as error:  # what is advised is to be done at this endpoint, and to be pasted into a shell
        raise NotAnArchive(path=shlex.quote(place), reason=error.details["reason"]) from error
    if state is not None:
        opened.control = Path(state).absolute() / "control.db"
    return opened


def bucket_document(
    archive: BucketArchive, prices: Prices, faults: Sequence[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """How an archive in a bucket stands, as JSON: what it holds, what was asked of the bucket, what is wrong with it.

    `faults` are those of such a document of late; without them the bucket is asked.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
    """
    told = faults
    if told is None:
        told = [{"text": each.text, "refused": each.refused} for each in archive.bucket_faults()]
    made, index = archive.requests_made(), archive.context.caught_up_index()
    return {
        "address": archive.path,
        "mode": str(archive.config.mode),
        "lock": archive.config.lock or None,
        "writable": archive.writable,
        "reason": archive.read_only.message if archive.read_only is not None else "",
        "resources": archive.count(),
        "bytes": index.total(),
        "unfinished": len(archive.leftovers()),
        "requests": {**made.as_json(), "cost": prices.cost(made) if prices.known else None},
        "faults": told,
    }


def keys_at(place: str) -> S3Keys:
    """The keys of a bucket; credentials are found as other S3 tools find them: environment, profile, machine role.

    Raises:
        BadInput: The address is none, or a credential stands in it.
    """
    from muniment.stores.s3.keys import open_keys  # noqa: PLC0415 - an S3 client

    return open_keys(parse_address(f"s3://{place[5:]}")[1], StoreContext())


def state_of_buckets(named: str | os.PathLike[str] | None) -> Path:
    """The folder in which archives in buckets keep what they build and what is derived: the user's cache, or `named`.

    Raises:
        BadSetting: There is no home folder to put it in.
    """
    if named is not None:
        return Path(named).absolute()
    return cache_folder() / "muniment" / "buckets"
