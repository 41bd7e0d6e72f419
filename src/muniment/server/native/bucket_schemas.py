"""What is answered about the bucket of an archive whose only home it is."""

from __future__ import annotations

from pydantic import BaseModel, Field


class BucketFaultOut(BaseModel):
    """What a bucket does on its own that an archive cannot live with (`refused`), or would do better without."""

    text: str
    refused: bool


class BucketRequestsOut(BaseModel):
    """What the server's machine asked of the bucket."""

    writes: int = Field(description="Puts, copies, parts and listings.")
    reads: int
    removals: int
    received: int = Field(description="Bytes.")
    cost: float | None = Field(description="At the prices in the settings; null where there are none.")


class BucketOut(BaseModel):
    """How an archive stands whose only home is a bucket."""

    address: str
    mode: str
    lock: str | None = Field(description="How each key is locked in worm mode.")
    writable: bool
    reason: str = Field(description="Why it can only be read.")
    resources: int
    bytes: int
    unfinished: int = Field(description="Transactions that were never closed.")
    requests: BucketRequestsOut
    faults: list[BucketFaultOut]
