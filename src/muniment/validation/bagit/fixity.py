"""Valid: every listed file has the digests that its manifests give (RFC 8493 §3)."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.content import Finding, Progress
from muniment.validation.bagit.bag import Bag
from muniment.validation.findings import say
from muniment.validation.fixity import KNOWN, FileToDigest, read_many


def check_fixity(bag: Bag, progress: Progress, jobs: int | None) -> Iterator[Finding]:
    """Read each listed file once and compare every digest any manifest gives it (B024, B901)."""
    promises: dict[str, list[tuple[str, str, str]]] = {}
    for manifest in bag.manifests:
        if manifest.algorithm not in KNOWN:
            continue
        for path, digest in manifest.entries.items():
            file = bag.stand_ins.get(path, path)
            if digest and file in bag.tree.files:
                promises.setdefault(file, []).append((path, manifest.algorithm, digest))
    wanted = (
        FileToDigest(file, tuple({algorithm for _, algorithm, _ in promises[file]}), bag.tree.files[file])
        for file in sorted(promises)
    )
    for result in read_many(wanted, bag.tree.root, total=len(promises), progress=progress, jobs=jobs):
        if result.trouble:
            yield say("B901", result.path, found=result.trouble)
            continue
        for path, algorithm, digest in promises[result.path]:
            if result.digests[algorithm] != digest:
                yield say("B024", path, f"{algorithm}:{digest}", f"{algorithm}:{result.digests[algorithm]}")
