"""A store on LTFS tapes, mounted on this machine or on one that is reached by ssh."""

from __future__ import annotations

from muniment.stores.ltfs.store import LtfsStore, open_at

__all__ = ["LtfsStore", "open_at"]
