"""An inventory as plain values: read once, checked for shape, used by every other rule."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from muniment.content import Finding
from muniment.validation.findings import kind_of, say, why
from muniment.validation.fixity import KNOWN
from muniment.validation.ocfl.content_paths import check_content_paths
from muniment.validation.ocfl.digest_blocks import read_digest_block, read_fixity
from muniment.validation.ocfl.head_keys import HeadKeys, read_head_keys
from muniment.validation.ocfl.jsontext import LARGEST, NotJson, TooLarge, keys_twice, parse, read_bounded
from muniment.validation.ocfl.versions_block import Version, read_versions

NAME = "inventory.json"


@dataclass(slots=True)
class Inventory:
    """What an inventory.json says, as far as it has the shape it should have."""

    where: str
    """Its path below the object's root."""
    head_keys: HeadKeys
    digest: str = ""
    """Of its own bytes, by `head_keys.algorithm`, '' when that algorithm is not known."""
    fingerprint: bytes = b""
    """Of its own bytes, to see whether two inventories are the same file."""
    manifest: Mapping[str, list[str]] | None = None
    """Digest as spelt to content paths; None when there is no readable manifest."""
    fixity: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)
    versions: Mapping[str, Version] | None = None
    """Name to version; None when there is no readable block."""
    troubled_paths: set[str] = field(default_factory=set)
    """Content paths that a rule already found fault with; whether they exist no longer matters."""

    @property
    def content_paths(self) -> Iterator[str]:
        """Every content path of the manifest."""
        for paths in (self.manifest or {}).values():
            yield from paths


def read_inventory(
    folder: str, where: str, *, spec: str | None, is_root: bool
) -> tuple[Inventory | None, list[Finding]]:
    """Read the inventory at `where` below `folder`, with a finding for every fault of its shape.

    Args:
        folder: The object's root.
        where: The inventory's path below it.
        spec: The object's declared version of OCFL, None when the declaration told nothing.
        is_root: Whether it is the object root's own inventory (its type must be the declared one).
    """
    try:
        data = read_bounded(os.path.join(folder, where))
        raw = parse(data)
    except TooLarge as error:
        return None, [say("O902", where, f"{LARGEST} bytes", f"{error} bytes")]
    except (OSError, ValueError) as error:
        return None, [say("O901", where, found=why(error))]
    except NotJson as error:
        return None, [say("E033", where, found=error)]
    if not isinstance(raw, dict):
        return None, [say("E033", where, found=f"it is {kind_of(raw)}")]
    inventory, findings = _from_json(raw, where, spec, is_root=is_root)
    algorithm = inventory.head_keys.algorithm
    inventory.fingerprint = hashlib.sha512(data).digest()
    if algorithm in KNOWN:
        hasher = KNOWN[algorithm][1]()
        hasher.update(data)
        inventory.digest = hasher.hexdigest()
    return inventory, findings


_KEYS = {"id", "type", "digestAlgorithm", "head", "contentDirectory", "manifest", "versions", "fixity"}


def _from_json(
    raw: dict[str, object], where: str, spec: str | None, *, is_root: bool
) -> tuple[Inventory, list[Finding]]:
    findings = [say("E102", where, found=key) for key in raw if key not in _KEYS]
    findings += [say("E033", where, found=f"the key {key!r} occurs twice") for key in keys_twice(raw)]
    head_keys, more = read_head_keys(raw, where, spec, is_root=is_root)
    findings += more
    inventory = Inventory(where, head_keys)
    if "manifest" not in raw:
        findings.append(say("E041", where))
    elif not isinstance(raw["manifest"], dict):
        findings.append(say("E106", where, found=kind_of(raw["manifest"])))
    else:
        inventory.manifest, more = read_digest_block(raw["manifest"], where, head_keys.algorithm, fixity=False)
        findings += more
    if "fixity" in raw:
        inventory.fixity, more = read_fixity(raw["fixity"], where)
        findings += more
    inventory.versions, more = read_versions(raw, where, inventory.manifest)
    findings += more
    findings += _unused(inventory)
    for block in (inventory.manifest or {}, *inventory.fixity.values()):
        check_content_paths(
            block, inventory.where, inventory.troubled_paths, findings, fixity=block is not inventory.manifest
        )
    return inventory, findings


def _unused(inventory: Inventory) -> Iterator[Finding]:
    """Digests of the manifest that no state uses (E107); silent when a state could not be read."""
    if not inventory.manifest or not inventory.versions:
        return
    if any(version.state is None for version in inventory.versions.values()):
        return
    used = {digest.lower() for version in inventory.versions.values() for digest in version.state or ()}
    for digest in inventory.manifest:
        if digest.lower() not in used:
            yield say("E107", inventory.where, found=digest)
