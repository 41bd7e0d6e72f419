"""What lies in the bag besides plain files: links, devices, empty folders, names at risk (RFC 8493 §5, §6)."""

from __future__ import annotations

import os
from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.bagit.bag import Bag
from muniment.validation.bagit.paths import is_system_file, unportable
from muniment.validation.findings import say


def check_payload_folder(bag: Bag) -> Iterator[Finding]:
    """There is a folder named data (B006)."""
    if "data" not in bag.tree.folders and "data" not in bag.tree.links:
        yield say("B006", "data/")


def check_kinds(bag: Bag) -> Iterator[Finding]:
    """Links, devices and what could not be looked at (B025, B026, B509, B901).

    A link to a file of this bag counts as that file; every other link is an error and not followed.
    """
    tree = bag.tree
    for path, kind in tree.specials.items():
        yield say("B026", path, found=kind)
    for path, reason in tree.unread.items():
        yield say("B901", path, found=reason)
    for path, target in tree.links.items():
        inside = _target(path, target)
        if inside in tree.files:
            bag.stand_ins[path] = inside
            yield say("B509", path, found=target)
        else:
            yield say("B025", path, found=target)


def _target(path: str, target: str) -> str:
    """Where a link leads, below the bag's root; '' when it leads out of the bag."""
    if target.startswith("/"):
        return ""
    joined = os.path.normpath(os.path.join(os.path.dirname(path), target))
    return "" if joined.startswith("..") else joined


def check_empty_folders(bag: Bag) -> Iterator[Finding]:
    """Folders of the payload that hold nothing (B508)."""
    for path in bag.tree.empty_folders():
        if path.startswith("data/"):
            yield say("B508", path)


def check_names(bag: Bag) -> Iterator[Finding]:
    """Listed names that systems make by themselves (B506) or cannot hold (B513)."""
    listed = dict.fromkeys(path for manifest in bag.manifests for path in manifest.entries)
    for path in listed:
        if is_system_file(path):
            yield say("B506", path, found="an operating system's file")
        reason = unportable(path)
        if reason:
            yield say("B513", path, found=reason)
