"""What a bucket does on its own: whether it keeps versions, what it locks, and what it removes after a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from muniment.content.buckets import BucketRules, LifecycleRule
from muniment.stores.s3.client import UNKNOWN_CONDITION, code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # types only: they are not shipped

_NONE = frozenset({"404", "NoSuchLifecycleConfiguration", "ObjectLockConfigurationNotFoundError", "InvalidRequest"})
"""How services say that a bucket has no such rules."""
_COLD = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def rules_of(client: S3Client, bucket: str, prefix: str) -> BucketRules:
    """The rules of a bucket for what lies below `prefix`; what could not be asked for is untold, with the reason."""
    untold: list[str] = []

    def ask(what: str, request: Callable[[], Any]) -> Mapping[str, Any]:
        try:
            return dict(request())
        except ClientError as error:
            code = code_of(error)
            if code not in _NONE | UNKNOWN_CONDITION:
                untold.append(f"{what} ({code})")
        except BotoCoreError as error:
            untold.append(f"{what} ({error})")
        return {}

    versions = ask("versions", lambda: client.get_bucket_versioning(Bucket=bucket))
    locks = ask("locks", lambda: client.get_object_lock_configuration(Bucket=bucket))
    lifecycle = ask("lifecycle rules", lambda: client.get_bucket_lifecycle_configuration(Bucket=bucket))
    found = locks.get("ObjectLockConfiguration", {})
    return BucketRules(
        prefix,
        versions.get("Status") == "Enabled",
        found.get("ObjectLockEnabled") == "Enabled",
        _retention(found.get("Rule", {}).get("DefaultRetention", {})),
        tuple(_rule(each) for each in lifecycle.get("Rules", []) if each.get("Status") == "Enabled"),
        tuple(untold),
    )


def _retention(found: Mapping[str, Any]) -> str:
    if not found:
        return ""
    length = f"{found['Years']}y" if found.get("Years") else f"{found.get('Days', 0)}d"
    return f"{str(found.get('Mode', '')).lower()} {length}"


def _rule(found: Mapping[str, Any]) -> LifecycleRule:
    given = found.get("Filter") or {}
    both = given.get("And") or {}
    expiration = found.get("Expiration") or {}
    expires = f"{expiration['Days']} days after it was put" if expiration.get("Days") else ""
    if expiration.get("Date"):
        expires = f"on {str(expiration['Date'])[:10]}"
    moves = [each.get("StorageClass", "") for each in found.get("Transitions") or []]
    return LifecycleRule(
        str(found.get("ID") or "without a name"),
        str(found.get("Prefix") or given.get("Prefix") or both.get("Prefix") or ""),
        tagged=bool(given.get("Tag") or both.get("Tags")),
        expires=expires,
        freezes=next((each for each in moves if each in _COLD), ""),
        aborts=int((found.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation") or 0),
    )
