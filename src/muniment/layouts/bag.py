"""The layout `bag`: one instance as the BagIt 1.0 bag it is in the archive."""

from __future__ import annotations

from functools import partial

from muniment.content.times import seconds
from muniment.layouts.packages import LaidOutPackage, Version, folder_name
from muniment.layouts.streams import Member

PAYLOAD = "data"


def lay_bag(instance: Version) -> LaidOutPackage:
    """One instance as a bag. One without files still has its payload folder (RFC 8493 §2.1.2)."""
    times = {instance.stored(entry.path): seconds(entry.modified) for entry in instance.files() if entry.modified}
    committed = seconds(instance.created)
    members = [
        Member(
            entry.path,
            entry.size or 0,
            partial(instance.open_bag_entry, entry, verify=False),
            entry.digests,
            times.get(entry.path, committed),
        )
        for entry in instance.bag_entries()
    ]
    filled = any(member.name.startswith(f"{PAYLOAD}/") for member in members)
    return LaidOutPackage(folder_name(instance.id), members, () if filled else (PAYLOAD,))
