"""Hold a bag against a profile: the list of a profile's demands, one function each."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from muniment.content import Finding
from muniment.validation.bagit.bag import MANIFEST, PAYLOAD, Bag, Manifest
from muniment.validation.bagit.paths import composed
from muniment.validation.bagit.profile.model import Profile
from muniment.validation.findings import say

_ALWAYS = {"bagit.txt", "bag-info.txt", "package-info.txt", "fetch.txt"}
"""Tag files that the specification itself provides for; Tag-Files-Allowed is about the others."""


def check_profile(bag: Bag, profile: Profile, serialisation: str) -> Iterator[Finding]:
    """Every demand of `profile` that `bag` does not meet (B060 to B076).

    `serialisation` is the media type of the file the bag came in, '' for a folder.
    """
    yield from _version(bag, profile)
    yield from _identifier(bag, profile)
    yield from _elements(bag, profile)
    yield from _manifests(bag.payload_manifests, profile, "Manifests", "manifest", "B065", "B066")
    yield from _manifests(bag.tag_manifests, profile, "Tag-Manifests", "tagmanifest", "B067", "B068")
    yield from _fetch(bag, profile)
    yield from _serialisation(profile, serialisation)
    yield from _tag_files(bag, profile)
    yield from _payload_files(bag, profile)


def _version(bag: Bag, profile: Profile) -> Iterator[Finding]:
    accepted = profile.lists.get("Accept-BagIt-Version")
    if accepted is not None and bag.declared not in accepted:
        yield say("B060", "bagit.txt", " or ".join(accepted), bag.declared or "of no version")


def _identifier(bag: Bag, profile: Profile) -> Iterator[Finding]:
    found = bag.values("BagIt-Profile-Identifier")
    if profile.identifier and profile.identifier not in found:
        yield say("B061", bag.info_name, profile.identifier, " and ".join(found))


def _elements(bag: Bag, profile: Profile) -> Iterator[Finding]:
    for label, element in profile.elements.items():
        values = bag.values(label)
        if element.required and not values:
            yield say("B062", bag.info_name, label)
        if not element.repeatable and len(values) > 1:
            yield say("B064", bag.info_name, label, len(values))
        for value in values:
            if element.values and value not in element.values:
                yield say("B063", f"{bag.info_name}, {label}", " or ".join(element.values), value)


def _manifests(
    manifests: list[Manifest], profile: Profile, key: str, stem: str, missing: str, refused: str
) -> Iterator[Finding]:
    present = {manifest.algorithm: manifest.name for manifest in manifests}
    for algorithm in profile.lists.get(f"{key}-Required", ()):
        if _plain(algorithm) not in present:
            yield say(missing, f"{stem}-{algorithm}.txt")
    allowed = profile.lists.get(f"{key}-Allowed")
    if allowed is not None:
        for algorithm, name in present.items():
            if algorithm not in {_plain(each) for each in allowed}:
                yield say(refused, name, " or ".join(allowed))


def _plain(algorithm: str) -> str:
    return algorithm.lower().replace("-", "")


def _fetch(bag: Bag, profile: Profile) -> Iterator[Finding]:
    there = "fetch.txt" in bag.tree.files
    if there and not profile.switches.get("Allow-Fetch.txt", True):
        yield say("B069", "fetch.txt")
    if not there and profile.switches.get("Fetch.txt-Required", False):
        yield say("B075", "fetch.txt")


def _serialisation(profile: Profile, serialisation: str) -> Iterator[Finding]:
    if profile.serialization == "required" and not serialisation:
        yield say("B070", "the bag", "required", "a folder")
    elif profile.serialization == "forbidden" and serialisation:
        yield say("B070", "the bag", "forbidden", serialisation)
    accepted = profile.lists.get("Accept-Serialization")
    # The same format goes by several names: application/tar, application/x-tar.
    if serialisation and accepted is not None:
        names = {name.replace("/x-", "/") for name in accepted}
        if serialisation not in names:
            yield say("B070", "the bag", " or ".join(accepted), serialisation)


def _tag_files(bag: Bag, profile: Profile) -> Iterator[Finding]:
    files = [path for path in bag.tree.files if not path.startswith(PAYLOAD)]
    there = {composed(path) for path in bag.tree.files}
    for required in profile.lists.get("Tag-Files-Required", ()):
        if composed(required) not in there:
            yield say("B071", required)
    allowed = profile.lists.get("Tag-Files-Allowed")
    if allowed is not None:
        for path in files:
            if path not in _ALWAYS and not MANIFEST.fullmatch(path) and not _matches(path, allowed):
                yield say("B072", path, " or ".join(allowed))


def _payload_files(bag: Bag, profile: Profile) -> Iterator[Finding]:
    files = [path for path in bag.tree.files if path.startswith(PAYLOAD)]
    there = {composed(path) for path in bag.tree.files}
    for required in profile.lists.get("Payload-Files-Required", ()):
        if composed(required) not in there:
            yield say("B073", required)
    allowed = profile.lists.get("Payload-Files-Allowed")
    if allowed is not None:
        for path in files:
            if not _matches(path, allowed):
                yield say("B074", path, " or ".join(allowed))
    if profile.switches.get("Data-Empty") and (len(files) > 1 or any(bag.tree.files[path] for path in files)):
        yield say("B076", "data/", found=f"{len(files)} files")


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(composed(path), composed(pattern)) for pattern in patterns)
