"""A store in an S3 bucket, at Amazon or at any service that speaks its language."""

from __future__ import annotations

from muniment.stores.s3.multipart import PART
from muniment.stores.s3.store import S3Store, open_at

__all__ = ["PART", "S3Store", "open_at"]
