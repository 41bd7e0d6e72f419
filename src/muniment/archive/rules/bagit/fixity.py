"""Valid: every listed file has the digests that its manifests give (RFC 8493 §3)."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.archive.rules.bagit.bag import Bag
from muniment.archive.rules.findings import say
from muniment.archive.rules.fixity import KNOWN, Wanted, read_many
from muniment.content import Finding, Progress


def check_fixity(bag: Bag, progress: Progress, jobs: int | None) -> Iterator[Finding]:
    """Read each listed file once and compare every digest any manifest gives it (B024, B901)."""
    manifests = [manifest for manifest in bag.manifests if manifest.algorithm in KNOWN]
    paths = sorted(
        {path for manifest in manifests for path in manifest.entries if path in bag.tree.files}
    )
    wanted = (
        Wanted(
            path,
            tuple(dict.fromkeys(manifest.algorithm for manifest in manifests if manifest.entries.get(path))),
            bag.tree.files[path],
        )
        for path in paths
    )
    for result in read_many(wanted, bag.tree.root, total=len(paths), progress=progress, jobs=jobs):
        if result.trouble:
            yield say("B901", result.path, found=result.trouble)
            continue
        for manifest in manifests:
            expected = manifest.entries.get(result.path)
            found = result.digests.get(manifest.algorithm, expected)
            if expected and found != expected:
                yield say("B024", result.path, f"{manifest.algorithm}:{expected}", f"{manifest.algorithm}:{found}")
