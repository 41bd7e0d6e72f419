"""Loopback servers that stand in for services, strict and with faults on request, for tests of sources."""

from __future__ import annotations

from muniment.testing.servers.loopback import Fault, Loopback, Reply, Request, Wrong

__all__ = ["Fault", "Loopback", "Reply", "Request", "Wrong"]
