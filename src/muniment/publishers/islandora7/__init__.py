"""Islandora 7: a batch tree made here, brought there by ssh, and taken in by its own commands."""

from __future__ import annotations

from muniment.publishers.islandora7.publisher import Islandora7, Islandora7Site

__all__ = ["Islandora7", "Islandora7Site"]
