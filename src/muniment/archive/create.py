"""Creates an archive: its folders, its settings, and the exit kit with which it can be read without Muniment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from muniment.archive.config import config_bytes
from muniment.archive.disk.durable import make_folder, remove_tree, rename, sync_tree, write_file, writing
from muniment.archive.disk.layout import LAYOUT, SETTINGS, TUPLE_SIZE, TUPLES, ArchiveLayout
from muniment.archive.disk.locks import folder_alone
from muniment.archive.disk.root_files import PLACES, RootFiles
from muniment.archive.eventlog.log import EventLog
from muniment.archive.package.bag import profile
from muniment.content.config import ArchiveConfig
from muniment.content.events import Event
from muniment.content.identity import Agent
from muniment.content.regular import is_regular, read_regular
from muniment.content.trees import walk_tree
from muniment.errors.archive import NotEmpty

_LARGEST_EVENT = 10_000
_LAYOUT_SETTINGS = {
    "extensionName": LAYOUT,
    "digestAlgorithm": "sha256",
    "tupleSize": TUPLE_SIZE,
    "numberOfTuples": TUPLES,
}


def create_archive(root: Path, config: ArchiveConfig) -> None:
    """Make the folders and files of an empty archive; the settings come last, so it is whole or none.

    What a making that was cut off has left at `root` is completed: nothing can have been stored there.

    Raises:
        NotEmpty: There is something at `root` already, or somebody is making an archive there.
        DiskFull, WriteFailed: The storage refused.
    """
    with writing(root):
        if root.exists() and not root.is_dir():
            raise NotEmpty(path=root)
    make_folder(root)
    with folder_alone(root) as alone:
        if not alone:
            raise NotEmpty(path=root)
        if os.listdir(root):
            _remove_what_was_begun(root)
        _fill(root, config)


def _fill(root: Path, config: ArchiveConfig) -> None:
    layout = ArchiveLayout(root, root)
    for folder in (layout.objects / "extensions" / LAYOUT, layout.parity, layout.events, layout.tombstones):
        make_folder(folder)
    for folder in (layout.transactions, layout.quarantine, layout.scratch, layout.locks):
        make_folder(folder)
    files = archive_files()
    for name, content in files.items():
        write_file(root / name, content)
    RootFiles({**files, SETTINGS: config_bytes(config)}).write(root)
    agent = Agent.of_this_process()
    detail = {"archive": config.id, "mode": str(config.mode)}
    EventLog(layout, worm=True).append([Event("creation", f"{agent.name} <{agent.address}>", detail=detail)])
    fresh = layout.scratch / SETTINGS
    write_file(fresh, config_bytes(config))
    sync_tree(root)
    rename(fresh, root / SETTINGS)
    sync_tree(root)


def archive_files() -> dict[str, bytes]:
    """What every archive of this version holds from its beginning, by the path below its root."""
    declared = {"extension": LAYOUT, "description": "Folders by the hash of the object id, then one named by the id"}
    kit = resources.files("muniment.archive").joinpath("exitkit")
    return {
        "objects/0=ocfl_1.1": b"ocfl_1.1\n",
        "objects/ocfl_layout.json": _json(declared),
        f"objects/extensions/{LAYOUT}/config.json": _json(_LAYOUT_SETTINGS),
        "bagit-profile.json": profile(),
        **{name: kit.joinpath(name).read_bytes() for name in ("README.txt", "muniment_exit.py")},
    }


def _remove_what_was_begun(root: Path) -> None:
    """Clear a folder in which the making of an archive was cut off, before it had settings.

    A cut of power leaves files empty, or their beginning, or zeros; whatever else lies there is somebody's.

    Raises:
        NotEmpty: There is an archive, or anything that no making of one leaves.
    """
    layout = ArchiveLayout(root, root)
    ours = archive_files()
    if not (layout.objects.is_dir() or layout.staging.is_dir()):
        raise NotEmpty(path=root)
    for folder, _, names in walk_tree(root):
        for name in names:
            path = Path(folder, name)
            place = path.relative_to(root).as_posix()
            made = path == layout.scratch / SETTINGS or path.parent == layout.locks or _is_record(path, place)
            if path.is_symlink() or not (made or _is_first_event(layout, path) or _is_part(path, ours.get(place))):
                raise NotEmpty(path=root)
    for entry in os.listdir(root):
        remove_tree(root / entry)


def _is_first_event(layout: ArchiveLayout, path: Path) -> bool:
    """Whether a file of the log, or of its mirror, tells of the making alone."""
    of_the_log = layout.events in path.parents or layout.log_mirror in path.parents
    of_the_log = of_the_log or (path.parent == layout.scratch and path.name.startswith("events-"))
    return (
        of_the_log
        and is_regular(path)
        and path.stat().st_size < _LARGEST_EVENT
        and read_regular(path).count(b"\n") <= 1
    )


def _is_record(path: Path, place: str) -> bool:
    """Whether a file is a record of the archive's own files, or what a cut of power leaves of one."""
    begin = RootFiles({}).as_bytes().partition(b"{}")[0]
    return place in PLACES and is_regular(path) and begin.startswith(read_regular(path)[: len(begin)].rstrip(b"\0"))


def _is_part(path: Path, whole: bytes | None) -> bool:
    """Whether a file holds `whole`, or what a cut of power leaves of it."""
    if whole is None or not is_regular(path) or path.stat().st_size > len(whole):
        return False
    found = read_regular(path)
    return whole.startswith(found.rstrip(b"\0"))


def _json(record: Mapping[str, object]) -> bytes:
    return (json.dumps(record, indent=2) + "\n").encode("utf-8")
