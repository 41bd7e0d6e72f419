"""What an archive holds and what holding it costs: sizes, growth, what dedup saved and parity takes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from muniment.content import Progress, quiet
from muniment.content.archive import Archive
from muniment.content.trees import walk_tree

_MONTH = len("2026-01")


@dataclass(slots=True)
class Figures:
    """Sizes in bytes. What lies on the disk is None for an archive behind a server, whose disk is not ours to see."""

    resources: int = 0
    instances: int = 0
    files: int = 0
    """In the newest instances."""
    newest: int = 0
    """Of the newest instances, as their users know them."""
    every: int = 0
    """Of all instances, each as if it lay by itself."""
    content: int | None = None
    """What of them lies on the disk: content that several instances or paths of a resource share, once."""
    records: int | None = None
    """Manifests, inventories and what else the objects hold."""
    parity: int | None = None
    """Parity, and the second copies of the archive's own records that lie with it."""
    events: int | None = None
    months: dict[str, dict[str, int]] = field(default_factory=dict)
    """Month to the `instances` that came in it and their `bytes`."""

    @property
    def saved(self) -> int | None:
        """Bytes that did not have to be stored again."""
        return None if self.content is None else self.every - self.content

    def as_json(self) -> dict[str, object]:
        """As JSON says it."""
        return {**asdict(self), "saved": self.saved}


def figures(archive: Archive, project: str | None = None, progress: Progress = quiet) -> Figures:
    """The figures of an archive, or of one project in it.

    Growth and the sizes of earlier instances are as the log says them; what was purged counts no more.

    Raises:
        MunimentError: Index or log cannot be read.
    """
    found = Figures()
    kept = {}
    for summary in archive.resources(project):
        kept[summary.project, summary.id] = summary
        found.resources += 1
        found.instances += summary.head
        found.files += summary.files
        found.newest += summary.bytes
    months: dict[str, dict[str, int]] = defaultdict(lambda: {"instances": 0, "bytes": 0})
    for event in archive.events():
        if event.event != "ingestion" or event.outcome != "success" or (event.project, event.resource) not in kept:
            continue
        size = int(event.detail.get("bytes", 0))
        month = months[event.timestamp[:_MONTH]]
        month["instances"] += 1
        month["bytes"] += size
        found.every += size
    found.months = dict(sorted(months.items()))
    if isinstance(archive.path, Path):
        roots = (
            None
            if project is None
            else [Path(archive.instance(each.id, project=each.project).root) for each in kept.values()]
        )
        found.content, found.records = _objects(roots or [archive.path / "objects"], progress)
        if project is None:
            found.parity = sum(_sizes(archive.path / "parity"))
            found.events = sum(_sizes(archive.path / "events"))
    return found


def _objects(roots: list[Path], progress: Progress) -> tuple[int, int]:
    """Bytes of content and of records below some folders of objects."""
    content = records = done = 0
    for root in roots:
        for folder, _, names in walk_tree(root):
            is_content = "/content/data" in f"{folder}/"
            for name in names:
                size = os.lstat(Path(folder, name)).st_size
                content += size if is_content else 0
                records += 0 if is_content else size
            done += len(names)
            progress("measuring", done, None, size=content)
    return content, records


def _sizes(root: Path) -> Iterator[int]:
    if root.is_dir():
        for folder, _, names in walk_tree(root):
            yield from (os.lstat(Path(folder, name)).st_size for name in names)
