"""The Nexus API, below `/v1`: archives of many resources in one download, and what they are made of."""

from __future__ import annotations

from muniment.web.api.nexus.application import NexusApi
from muniment.web.api.nexus.mounting import PREFIX, Straight, install

__all__ = ["PREFIX", "NexusApi", "Straight", "install"]
