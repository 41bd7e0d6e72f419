"""Judge an OCFL storage root: its own rules, the hierarchy, and every object in it (OCFL 1.1 §4)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from muniment.content import Finding, Progress, quiet
from muniment.validation.findings import kind_of, say, why
from muniment.validation.ocfl.declaration import root_declaration
from muniment.validation.ocfl.extensions import LAYOUTS, check_root_extensions
from muniment.validation.ocfl.inventory import NAME
from muniment.validation.ocfl.jsontext import LARGEST, NotJson, TooLarge, parse, read_bounded
from muniment.validation.ocfl.layouts import Layout, NoPath, read_layout
from muniment.validation.ocfl.object import object_findings
from muniment.validation.tree import DEEPEST, Tree, scan

_LAYOUT = "ocfl_layout.json"
_LARGEST = 1024 * 1024


def validate_root(
    path: str | os.PathLike[str],
    *,
    progress: Progress = quiet,
    jobs: int | None = None,
) -> Iterator[Finding]:
    """Every finding of the storage root at `path` and of each object in it; nothing is raised.

    `Finding.resource` names the folder of the object a finding belongs to; its `where` begins with it.

    Args:
        path: The storage root.
        progress: Told of each object, and of the files inside it.
        jobs: Files read at a time; by default one per processor.
    """
    root = os.fspath(path)
    top = _shallow(root)
    if "" in top.unread:
        yield say("O901", root, found=top.unread[""])
        return
    spec, _, findings = root_declaration(top)
    yield from findings
    yield from _layout(top)
    if "extensions" in top.folders:
        below = scan(top.path("extensions"))
        yield from check_root_extensions(_under(below, "extensions"))
    layout = read_layout(root)
    yield from _beside(top, layout)
    done = 0
    depths: set[int] = set()
    if layout and layout.trouble:
        yield say("O904", layout.config, found=layout.trouble)
    identifiers: dict[str, str] = {}
    for folder, problem in _hierarchy(root, top):
        if problem:
            yield problem
            continue
        depths.add(0 if "/" not in folder else 1)
        for finding, declared in object_findings(os.path.join(root, folder), progress=progress, jobs=jobs):
            if finding:
                yield replace(finding, where=f"{folder}/{finding.where}", resource=folder)
            elif spec and declared and declared > spec:
                yield say("E081", folder, spec, declared)
        yield from _place_and_id(root, folder, layout, identifiers)
        done += 1
        progress("objects", done, None)
    if len(depths) > 1:
        yield say("W015", "an object")


def _place_and_id(root: str, folder: str, layout: Layout | None, identifiers: dict[str, str]) -> Iterator[Finding]:
    """An id is there once (E037), and its object where the root's layout puts it (O501)."""
    try:
        inventory = parse(read_bounded(os.path.join(root, folder, NAME), LARGEST))
    except (TooLarge, OSError, ValueError, NotJson):
        return  # told already
    identifier = inventory.get("id") if isinstance(inventory, dict) else None
    if not isinstance(identifier, str):
        return
    first = identifiers.setdefault(identifier, folder)
    if first != folder:
        found = f"{identifier}, the id of {first}"
        yield replace(say("E037", f"{folder}/{NAME}", "an id of its own", found), resource=folder)
    if layout is None or layout.place is None:
        return
    try:
        expected = layout.place(identifier).strip("/")
    except NoPath as reason:
        yield replace(say("O503", folder, found=reason), resource=folder)
        return
    if expected != folder:
        yield replace(say("O501", folder, expected, identifier), resource=folder)


def _beside(top: Tree, layout: Layout | None) -> Iterator[Finding]:
    """What is allowed in a root and is of no object (O802): whoever carries the objects elsewhere leaves it behind."""
    for name in sorted(top.files):
        if name != _LAYOUT and not name.startswith("0=ocfl"):
            yield say("O802", name)
    if "extensions" in top.folders:
        of_layout = layout.config if layout else ""
        below = scan(top.path("extensions"))
        yield from (say("O802", path) for path in map("extensions/{}".format, sorted(below.files)) if path != of_layout)


def _shallow(root: str, folder: str = "") -> Tree:
    """One folder alone; its subfolders are named and not walked."""
    tree = Tree(root)
    tree.folders[""] = 0
    try:
        with os.scandir(os.path.join(root, folder)) as listing:
            for item in listing:
                tree.folders[""] += 1
                if item.is_symlink():
                    tree.links[item.name] = os.readlink(item.path)
                elif item.is_dir(follow_symlinks=False):
                    tree.folders[item.name] = 0
                elif item.is_file(follow_symlinks=False):
                    tree.files[item.name] = item.stat(follow_symlinks=False).st_size
                else:
                    tree.specials[item.name] = "a device, pipe or socket"
    except (OSError, ValueError) as error:
        tree.unread[""] = why(error)
    return tree


def _under(tree: Tree, folder: str) -> Tree:
    """`tree` with its paths as seen from the folder above."""
    moved = Tree(os.path.dirname(tree.root))
    moved.files = {f"{folder}/{path}": size for path, size in tree.files.items()}
    moved.folders = {f"{folder}/{path}".rstrip("/"): count for path, count in tree.folders.items()}
    return moved


def _hierarchy(root: str, top: Tree) -> Iterator[tuple[str, Finding | None]]:
    """The folder of each object, and what lies between the objects that should not (E072, E073, E090)."""
    for name, target in top.links.items():
        yield name, say("E090", name, found=f"a symbolic link to {target!r}")
    waiting = sorted((name for name in top.folders if name and name != "extensions"), reverse=True)
    while waiting:
        folder = waiting.pop()
        here = _shallow(root, folder)
        if "" in here.unread or folder.count("/") > DEEPEST:
            yield folder, say("O901", folder, found=here.unread.get("", "nested too deeply"))
        elif any(name.startswith("0=ocfl_object") for name in here.files):
            yield folder, None
        elif not here.folders[""]:
            yield folder, say("E073", folder)
        else:
            for name in sorted((*here.files, *here.specials)):
                yield folder, say("E072", f"{folder}/{name}")
            for name, target in sorted(here.links.items()):
                yield folder, say("E090", f"{folder}/{name}", found=f"a symbolic link to {target!r}")
            waiting += sorted((f"{folder}/{name}" for name in here.folders if name), reverse=True)


def _layout(top: Tree) -> Iterator[Finding]:
    """ocfl_layout.json, when there is one, names a registered layout and describes it (E070, E071)."""
    if _LAYOUT not in top.files:
        return
    try:
        layout = parse(read_bounded(top.path(_LAYOUT), _LARGEST))
    except (TooLarge, OSError, ValueError) as error:
        yield say("O901", _LAYOUT, found=why(error))
        return
    except NotJson:
        layout = None
    if not isinstance(layout, dict):
        yield say("E070", _LAYOUT, expected="JSON object")
        return
    for key in ("extension", "description"):
        if key not in layout:
            yield say("E070", _LAYOUT, expected=key)
    extension = layout.get("extension")
    if "extension" in layout and not isinstance(extension, str):
        yield say("E071", _LAYOUT, found=kind_of(extension))
    elif "extension" in layout and extension not in LAYOUTS:
        yield say("O903", _LAYOUT, found=extension)
