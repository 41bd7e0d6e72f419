"""Settings: files and environment, read in one place and handed down as values."""

from __future__ import annotations

from muniment.settings.fields import Secret, Setting
from muniment.settings.settings import Settings, cache_folder, described

__all__ = ["Secret", "Setting", "Settings", "cache_folder", "described"]
