"""The composition root: from settings to working parts, and the only place that puts them together."""

from __future__ import annotations

from muniment.app.app import App
from muniment.app.door import Archive

__all__ = ["App", "Archive"]
