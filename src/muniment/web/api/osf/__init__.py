"""The foreman's interface, below `/api/v1`: containers are submitted, followed, and handed out as registrations."""

from __future__ import annotations

from muniment.web.api.osf.door import OsfDoor, install
from muniment.web.api.osf.routes import PREFIX

__all__ = ["PREFIX", "OsfDoor", "install"]
