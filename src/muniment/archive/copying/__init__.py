"""Bringing many files in, and digesting many files, as fast as the machine allows.

Small sets are done in this process; one big file with a thread for each digest; large sets by worker
processes, whole files each, in batches. Nothing here makes anything durable: the caller syncs once.
"""

from __future__ import annotations

from muniment.archive.copying.copier import Copier
from muniment.archive.copying.jobs import Copied, CopyJob, Failed, Hashed, HashJob, Joined, JoinJob
from muniment.archive.copying.streams import write_stream

__all__ = ["Copied", "Copier", "CopyJob", "Failed", "HashJob", "Hashed", "JoinJob", "Joined", "write_stream"]
