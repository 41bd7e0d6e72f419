"""Complete: everything listed is there, everything there is listed (RFC 8493 §3)."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.bagit.bag import Bag, Manifest
from muniment.validation.bagit.paths import composed, folded, is_system_file, same_but_for_normalisation
from muniment.validation.findings import printable, say


def find_stand_ins(bag: Bag) -> Iterator[Finding]:
    """Files that count as a listed path though they are spelt otherwise (B503, B519).

    One spelling in the manifest and another on disk are one name where a file system or a tool changed the
    normalisation (§6.1.1.3); a percent sign that was not escaped (§2.1.3) is one where the literal name is
    there. Whether such a file has the digest of the listed path is for `check_fixity` to say.
    """
    missing = _missing(bag)
    if not missing:
        return
    listed = {path for manifest in bag.manifests for path in manifest.entries}
    by_composition: dict[str, list[str]] = {}
    both: dict[str, str] = {}
    for path in bag.tree.files:
        if path not in listed:
            by_composition.setdefault(composed(path), []).append(path)
        else:
            both[composed(path)] = path
    for path, manifests in missing.items():
        literal = next((each.literal[path] for each in manifests if path in each.literal), "")
        if literal in bag.tree.files and literal not in listed:
            bag.stand_ins[path] = literal
            yield say("B519", literal, "%25", "%")
            continue
        twins = by_composition.get(composed(path), [])
        if len(twins) == 1:
            bag.stand_ins[path] = twins[0]
            yield say("B503", " and ".join(each.name for each in manifests), path, twins[0])
        elif not twins and composed(path) in both:
            # Listed in both normalisations with one digest: one file is there for both, and B503 tells of the two.
            other = both[composed(path)]
            if all(each.entries.get(other) == each.entries[path] for each in manifests):
                bag.stand_ins[path] = other


def _missing(bag: Bag) -> dict[str, list[Manifest]]:
    """Listed paths that are nothing on disk, and the manifests that list them."""
    missing: dict[str, list[Manifest]] = {}
    tree = bag.tree
    for manifest in bag.manifests:
        for path in manifest.entries:
            if not (path in tree.files or path in tree.links or path in tree.specials or path in tree.unread):
                missing.setdefault(path, []).append(manifest)
    return missing


def check_listed_is_there(bag: Bag) -> Iterator[Finding]:
    """Files that a manifest lists and that are not there (B020, B021)."""
    by_folding: dict[str, str] = {}
    missing = _missing(bag)
    if missing:
        by_folding = {folded(path): path for path in bag.tree.files}
    for path, manifests in missing.items():
        if path in bag.stand_ins:
            continue
        if path in bag.fetch:
            yield say("B021", path, bag.fetch[path].url)
        else:
            yield say("B020", path, " and ".join(each.name for each in manifests), _hint(path, by_folding))


def _hint(path: str, by_folding: dict[str, str]) -> str:
    """What may have happened to a file that is gone, as a sentence of its own."""
    if is_system_file(path):
        return " It was an operating system's file, which may have been cleaned away."
    twin = by_folding.get(folded(path))
    if twin and same_but_for_normalisation(twin, path):
        return f" There is {twin!r}, the same name in another Unicode normalisation, but it is listed for itself."
    if twin:
        return f" There is {printable(twin)!r}, which differs in capital letters."
    if "\\" in path:
        return " Its '\\' may have been meant as '/': a manifest has '/' between folders (§2.1.3)."
    return ""


def check_there_is_listed(bag: Bag) -> Iterator[Finding]:
    """Payload that no manifest lists (B022), or from BagIt 1.0 on not every one (B023).

    What a manifest lists that could not be read to its end nobody can tell, and that it could not is said already.
    """
    if not bag.payload_manifests or not all(manifest.whole for manifest in bag.payload_manifests):
        return
    counted = {manifest.name: _counted(bag, manifest) for manifest in bag.payload_manifests}
    for path in bag.payload:
        without = [name for name, listed in counted.items() if path not in listed]
        if len(without) == len(counted):
            yield say("B022", path, found=_why_unlisted(path))
        elif without and bag.version >= (1, 0):
            yield say("B023", path, " and ".join(without))


def _why_unlisted(path: str) -> str:
    """What may have put a file there, or kept it out of the manifests, as a sentence of its own."""
    if is_system_file(path):
        return " Systems make such files by themselves; it may be removed."
    if not path.isascii() and any("\udc80" <= character <= "\udcff" for character in path):
        return " Its name on this disk is no UTF-8: it may be listed as the text it was once."
    return ""


def _counted(bag: Bag, manifest: Manifest) -> set[str]:
    """The files a manifest lists, under the names they have on disk."""
    links = {path for path in manifest.entries if path in bag.tree.links}
    return links | {bag.stand_ins.get(path, path) for path in manifest.entries}


def check_twins(bag: Bag) -> Iterator[Finding]:
    """Listed names that differ only by case or normalisation (B502, B503)."""
    for manifest in bag.manifests:
        seen: dict[str, str] = {}
        for path in manifest.entries:
            other = seen.setdefault(folded(path), path)
            if other != path:
                code = "B503" if same_but_for_normalisation(other, path) else "B502"
                yield say(code, manifest.name, other, path)
