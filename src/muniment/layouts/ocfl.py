"""The layout `ocfl`: a resource as the OCFL 1.1 object it is in the archive, all instances included."""

from __future__ import annotations

from muniment.content.times import seconds
from muniment.layouts.packages import LaidOutPackage, Version, folder_name
from muniment.layouts.streams import Member


def lay_object(newest: Version) -> LaidOutPackage:
    """The object's tree, with the newest inventory in its root also where the archive keeps an older one there."""
    modified = seconds(newest.created)
    members = [
        Member(entry.path, entry.size or 0, opened, entry.digests, modified)
        for entry, opened in newest.object_entries()
    ]
    return LaidOutPackage(folder_name(newest.id), members)
