"""Complete: everything listed is there, everything there is listed (RFC 8493 §3)."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.bagit.bag import Bag
from muniment.validation.bagit.paths import folded, is_system_file, same_but_for_normalisation
from muniment.validation.findings import say


def check_listed_is_there(bag: Bag) -> Iterator[Finding]:
    """Files that a manifest lists and that are not there (B020, B021), or only under another spelling."""
    missing: dict[str, list[str]] = {}
    for manifest in bag.manifests:
        for path in manifest.entries:
            if path not in bag.tree.files:
                missing.setdefault(path, []).append(manifest.name)
    if not missing:
        return
    by_folding = {folded(path): path for path in bag.tree.files}
    for path, names in missing.items():
        if path in bag.tree.links or path in bag.tree.specials or path in bag.tree.unread:
            continue  # told as what it is
        twin = by_folding.get(folded(path))
        if twin and _agree(bag, path, twin):
            bag.stand_ins[path] = twin
        elif is_system_file(path):
            bag.gone_system_files.add(path)
        elif path in bag.fetch:
            yield say("B021", path, bag.fetch[path])
        else:
            yield say("B020", path, " and ".join(names))


def _agree(bag: Bag, path: str, twin: str) -> bool:
    """Whether every manifest that lists `path` also lists `twin`, with the same digest.

    Then both names were one file where the bag was made, and `twin` is that file.
    """
    listing = [manifest for manifest in bag.manifests if path in manifest.entries]
    return all(manifest.entries.get(twin) == manifest.entries[path] for manifest in listing)


def check_there_is_listed(bag: Bag) -> Iterator[Finding]:
    """Payload that no manifest lists (B022), or from BagIt 1.0 on not every one (B023)."""
    if not bag.payload_manifests:
        return
    for path in bag.payload:
        without = [manifest.name for manifest in bag.payload_manifests if path not in manifest.entries]
        if len(without) == len(bag.payload_manifests):
            yield say("B022", path)
        elif without and bag.version >= (1, 0):
            yield say("B023", path, " and ".join(without))


def check_twins(bag: Bag) -> Iterator[Finding]:
    """Listed names that differ only by case or normalisation (B502, B503)."""
    for manifest in bag.manifests:
        seen: dict[str, str] = {}
        for path in manifest.entries:
            other = seen.setdefault(folded(path), path)
            if other != path:
                code = "B503" if same_but_for_normalisation(other, path) else "B502"
                yield say(code, manifest.name, other, path)
