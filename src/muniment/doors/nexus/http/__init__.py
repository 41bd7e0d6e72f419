"""The Nexus API, below `/v1`: archives of many resources in one download, and what they are made of."""

from __future__ import annotations

from muniment.doors.nexus.http.application import NexusApi
from muniment.doors.nexus.http.description import describe
from muniment.doors.nexus.http.mounting import PREFIX, FastPath, install

__all__ = ["PREFIX", "FastPath", "NexusApi", "describe", "install"]
