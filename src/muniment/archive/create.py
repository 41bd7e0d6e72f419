"""Founding an archive: its folders, its settings and what explains it to whoever finds it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from muniment.archive.config import Config
from muniment.archive.disk.durable import make_folder, rename, sync_tree, write_file, writing
from muniment.archive.disk.layout import LAYOUT, SETTINGS, TUPLE_SIZE, TUPLES, ArchiveLayout
from muniment.archive.eventlog.log import EventLog
from muniment.archive.package.bag import profile
from muniment.content.events import Event
from muniment.content.identity import Agent
from muniment.errors.archive import NotEmpty

_LAYOUT_SETTINGS = {
    "extensionName": LAYOUT,
    "digestAlgorithm": "sha256",
    "tupleSize": TUPLE_SIZE,
    "numberOfTuples": TUPLES,
}


def create_archive(root: Path, config: Config) -> None:
    """Make the folders and files of an empty archive; the settings come last, so it is whole or none.

    Raises:
        NotEmpty: There is something at `root` already.
        DiskFull, WriteFailed: The storage refused.
    """
    with writing(root):
        if root.exists() and (not root.is_dir() or os.listdir(root)):
            raise NotEmpty(path=root)
    layout = ArchiveLayout(root, root)
    for folder in (layout.objects / "extensions" / LAYOUT, layout.parity, layout.events, layout.tombstones):
        make_folder(folder)
    for folder in (layout.transactions, layout.quarantine, layout.scratch, layout.locks):
        make_folder(folder)
    declared = {"extension": LAYOUT, "description": "Folders by the hash of the object id, then one named by the id"}
    write_file(layout.objects / "0=ocfl_1.1", b"ocfl_1.1\n")
    write_file(layout.objects / "ocfl_layout.json", _json(declared))
    write_file(layout.objects / "extensions" / LAYOUT / "config.json", _json(_LAYOUT_SETTINGS))
    write_file(root / "bagit-profile.json", profile())
    kit = resources.files("muniment.archive").joinpath("exitkit")
    for name, target in (("README.txt", "README.txt"), ("muniment_exit.py", "muniment_exit.py")):
        write_file(root / target, kit.joinpath(name).read_bytes())
    agent = Agent.of_this_process()
    detail = {"archive": config.id, "mode": str(config.mode)}
    EventLog(layout, worm=True).append([Event("creation", f"{agent.name} <{agent.address}>", detail=detail)])
    fresh = layout.scratch / SETTINGS
    write_file(fresh, config.as_bytes())
    sync_tree(root)
    rename(fresh, root / SETTINGS)
    sync_tree(root)


def _json(record: Mapping[str, object]) -> bytes:
    return (json.dumps(record, indent=2) + "\n").encode("utf-8")
