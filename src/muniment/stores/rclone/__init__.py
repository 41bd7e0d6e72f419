"""A store at any remote of an rclone configuration: Azure, Google, B2, SFTP, WebDAV, SharePoint and seventy more."""

from __future__ import annotations

from muniment.stores.rclone.store import RcloneStore, open_at

__all__ = ["RcloneStore", "open_at"]
