"""Repair: what an audit finds is put right where that can be done, and looked at again before it is said."""

from __future__ import annotations

from muniment.archive.fixity.repair.run import repair
from muniment.content.archive import Repair

__all__ = ["Repair", "repair"]
