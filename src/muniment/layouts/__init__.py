"""Layouts: how the files of a package are named and framed outside the archive.

Another package brings one by an entry point of the group `muniment.layouts` (docs/howto/add-a-layout.md); what it
needs for that can be imported from here.
"""

from __future__ import annotations

from muniment.layouts.bag import PAYLOAD, lay_bag
from muniment.layouts.packages import LaidOutPackage, Version, folder_name, text
from muniment.layouts.streams import Member

__all__ = ["PAYLOAD", "LaidOutPackage", "Member", "Version", "folder_name", "lay_bag", "text"]
