"""An archive behind a server, used as if its folder were here."""

from __future__ import annotations

from muniment.remote.archive import RemoteArchive
from muniment.remote.instance import RemoteInstance
from muniment.remote.transaction import RemoteTransaction

__all__ = ["RemoteArchive", "RemoteInstance", "RemoteTransaction"]
