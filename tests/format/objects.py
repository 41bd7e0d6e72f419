"""OCFL objects and roots of our own making: one that is right, and for each code one that is wrong."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
VERSIONS: Sequence[Mapping[str, bytes]] = ({"a.txt": b"alpha\n"}, {"a.txt": b"alpha\n", "folder/b.txt": b"beta\n"})
LAYOUT = "0007-n-tuple-omit-prefix-storage-layout"


def digest(data: bytes, algorithm: str = "sha512") -> str:
    """Hexadecimal digest of `data`."""
    return hashlib.new(algorithm, data).hexdigest()


def make_object(
    folder: Path,
    versions: Sequence[Mapping[str, bytes]] = VERSIONS,
    *,
    spec: str = "1.1",
    algorithm: str = "sha512",
    name: str = "v{}",
) -> Path:
    """A valid object without anything to warn of."""
    folder.mkdir(parents=True)
    (folder / f"0=ocfl_object_{spec}").write_text(f"ocfl_object_{spec}\n")
    inventory: Json = {
        "id": "urn:example:1",
        "type": f"https://ocfl.io/{spec}/spec/#inventory",
        "digestAlgorithm": algorithm,
        "manifest": {},
        "versions": {},
    }
    for number, files in enumerate(versions, 1):
        version = name.format(number)
        (folder / version).mkdir()
        state: dict[str, list[str]] = {}
        for path, data in files.items():
            value = digest(data, algorithm)
            state.setdefault(value, []).append(path)
            if value not in inventory["manifest"]:
                stored = folder / version / "content" / path
                stored.parent.mkdir(parents=True, exist_ok=True)
                stored.write_bytes(data)
                inventory["manifest"][value] = [f"{version}/content/{path}"]
        inventory["head"] = version
        inventory["versions"][version] = {
            "created": f"2024-01-0{number}T00:00:00Z",
            "message": f"Version {number}",
            "user": {"name": "Ann", "address": "mailto:ann@example.org"},
            "state": state,
        }
        save(folder / version, inventory)
    save(folder, inventory)
    return folder


def save(folder: Path, inventory: object, *, sidecar: bool = True) -> None:
    """Write an inventory and its sidecar."""
    data = inventory if isinstance(inventory, bytes) else json.dumps(inventory, indent=1).encode()
    (folder / "inventory.json").write_bytes(data)
    algorithm = inventory.get("digestAlgorithm") if isinstance(inventory, dict) else "sha512"
    if sidecar and algorithm in {"sha512", "sha256", "md5"}:
        (folder / f"inventory.json.{algorithm}").write_text(f"{digest(data, algorithm)} inventory.json\n")


def load(folder: Path) -> Json:
    """An inventory as it is."""
    loaded: Json = json.loads((folder / "inventory.json").read_bytes())
    return loaded


def edit(folder: Path, change: Callable[[Json], object]) -> Path:
    """Change the root's inventory and the newest version's alike, sidecars included."""
    newest = folder / load(folder)["head"]
    inventory = load(folder)
    change(inventory)
    for place in (folder, newest):
        for old in place.glob("inventory.json.*"):
            old.unlink()
        save(place, inventory)
    return folder


def edit_first(folder: Path, change: Callable[[Json], object]) -> Path:
    """Change the first version's inventory alone."""
    inventory = load(folder / "v1")
    change(inventory)
    save(folder / "v1", inventory)
    return folder


def _root_only(folder: Path, key: str, value: object) -> Path:
    """Change the root's inventory and leave the newest version's."""
    save(folder, {**load(folder), key: value})
    return folder


def staged(made: Path, content: bytes = b"only here", promised: bytes = b"only here") -> Path:
    """The object with a version more that is staged beside its versions (extension 0005)."""
    inventory = json.loads((made / "inventory.json").read_text())
    number = int(inventory["head"][1:]) + 1
    place = "extensions/0005-mutable-head/head/content/r1/b"
    put(made, place, content.decode())
    digest = hashlib.new(inventory["digestAlgorithm"], promised).hexdigest()
    inventory["manifest"][digest] = [place]
    inventory["versions"][f"v{number}"] = {**inventory["versions"][inventory["head"]], "state": {digest: ["b"]}}
    inventory["head"] = f"v{number}"
    put(made, "extensions/0005-mutable-head/head/inventory.json", json.dumps(inventory))
    return made


def make_root(folder: Path, spec: str = "1.1") -> Path:
    """A valid storage root with one object."""
    folder.mkdir()
    (folder / f"0=ocfl_{spec}").write_text(f"ocfl_{spec}\n")
    (folder / "ocfl_layout.json").write_text(json.dumps({"extension": LAYOUT, "description": "Tuples of the id"}))
    make_object(folder / "000/000/001/1", spec=min(spec, "1.1"))
    return folder


def put(folder: Path, name: str, data: str | bytes = b"x") -> Path:
    """Write a file, its folders included."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def drop(folder: Path, *names: str) -> Path:
    """Remove files."""
    for name in names:
        (folder / name).unlink()
    return folder


def _mkdir(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True)
    return folder


def _rename(folder: Path, old: str, new: str) -> Path:
    (folder / old).rename(folder / new)
    return folder


def _symlink(folder: Path) -> Path:
    (folder / "v1/content/link").symlink_to("a.txt")
    return folder


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "v1/content/pipe")
    return folder


def _large(folder: Path) -> Path:
    os.truncate(folder / "inventory.json", 256 * 1024 * 1024 + 1)
    return folder


def _object_beside(folder: Path) -> Path:
    """An object directly in a root whose other object lies deeper."""
    beside = make_object(drop(folder, "ocfl_layout.json") / "object")
    for place in (beside, *sorted(beside.glob("v*"))):
        inventory = load(place)
        save(place, {**inventory, "id": f"{inventory['id']}-2"})
    return folder


def _too_long(folder: Path) -> Path:
    deep = os.open(folder / "v1/content", os.O_RDONLY)
    for _ in range(18):
        os.mkdir("x" * 250, dir_fd=deep)
        below = os.open("x" * 250, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    return folder


def _text(folder: Path, change: Callable[[str], str]) -> Path:
    """Change the inventory as text, for what no JSON value can say."""
    data = change((folder / "inventory.json").read_text()).encode()
    for place in (folder, folder / "v2"):
        save(place, data)
    return folder


def _versions(*names: str) -> Callable[[Path], Path]:
    """Rename the version folders, leaving everything else."""

    def rename(folder: Path) -> Path:
        for number, name in enumerate(names, 1):
            (folder / f"v{number}").rename(folder / name)
        return folder

    return rename


A, B = digest(b"alpha\n"), digest(b"beta\n")
A_PATH = "v1/content/a.txt"


def _set(*keys: str, to: object) -> Callable[[Json], object]:
    def change(inventory: Json) -> None:
        target = inventory
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = to

    return change


def _without(*keys: str) -> Callable[[Json], object]:
    def change(inventory: Json) -> None:
        target = inventory
        for key in keys[:-1]:
            target = target[key]
        del target[keys[-1]]

    return change


def _changed(*keys: str, to: object) -> Callable[[Path], Path]:
    return lambda folder: edit(folder, _set(*keys, to=to))


def _logical(path: str) -> Callable[[Path], Path]:
    """An object whose newest state holds `path`."""
    return _changed("versions", "v2", "state", A, to=[path])


def _content(path: object) -> Callable[[Path], Path]:
    """An object whose manifest holds `path` for a second copy of a.txt."""
    return _changed("manifest", A, to=[A_PATH, path])


def _fixity(block: object) -> Callable[[Path], Path]:
    return _changed("fixity", to=block)


def _respelled(folder: Path) -> Path:
    return edit(folder, lambda inventory: inventory["manifest"].update({A.upper(): ["v1/content/a.txt"]}))


OBJECTS: dict[str, Callable[[Path], Path]] = {
    "E001": lambda o: put(o, "stray"),
    "E002": lambda o: _mkdir(drop(o, "0=ocfl_object_1.1"), "0=ocfl_object_1.1"),
    "E003": lambda o: drop(o, "0=ocfl_object_1.1"),
    "E004": lambda o: _rename(o, "0=ocfl_object_1.1", "ocfl_object_1.1"),
    "E005": lambda o: _rename(o, "0=ocfl_object_1.1", "1=ocfl_object_1.1"),
    "E006": lambda o: _rename(o, "0=ocfl_object_1.1", "0=ocfl_object_9.9"),
    "E007": lambda o: put(o, "0=ocfl_object_1.1", "ocfl_object_1.1"),
    "E008": lambda o: edit(o, _set("versions", to={})),
    "E009": _versions("v2x", "v3"),
    "E010": _versions("v1", "v3"),
    "E011": _versions("v01", "v10"),
    "E012": _versions("v01", "v002"),
    "E013": _versions("v01", "v2"),
    "E014": _content("v7/content/a.txt"),
    "E015": lambda o: put(o, "v1/stray"),
    "E016": lambda o: edit(
        put(o, "v1/other/a.txt", b"alpha\n"),
        lambda i: (_set("contentDirectory", to="content")(i), _set("manifest", A, to=[A_PATH, "v1/other/a.txt"])(i)),
    ),
    "E017": _changed("contentDirectory", to="a/b"),
    "E018": _changed("contentDirectory", to=".."),
    "E019": lambda o: edit_first(o, _set("contentDirectory", to="stuff")),
    "E020": lambda o: _three(o),  # noqa: PLW0108 - defined below
    "E021": lambda o: _content("v1/other/a.txt")(put(o, "v1/other/a.txt", b"alpha\n")),
    "E023": lambda o: put(o, "v1/content/unlisted"),
    "E024": lambda o: _mkdir(o, "v1/content/empty"),
    "E025": _changed("digestAlgorithm", to="md5"),
    "E029": _fixity({"sha1": {"zz": [A_PATH]}}),
    "E030": _fixity({"sha256": {"zz": [A_PATH]}}),
    "E031": lambda o: edit(o, lambda i: i["manifest"].update({"zz": ["v1/content/z"]})),
    "E032": _fixity({"blake2b-512": {"zz": [A_PATH]}}),
    "E033": lambda o: _text(o, lambda text: text[:-2]),
    "E034": lambda o: put(o, "Inventory.json"),
    "E035": _content("v1\\content\\a.txt"),
    "E036": lambda o: edit(o, _without("id")),
    "E037": lambda o: edit_first(o, _set("id", to="urn:example:2")),
    "E038": _changed("type", to="https://ocfl.io/1.0/spec/#inventory"),
    "E039": lambda o: edit(o, lambda i: i["manifest"].update({digest(b"alpha\n", "sha256"): i["manifest"].pop(A)})),
    "E040": lambda o: _root_only(o, "head", "v1"),
    "E041": lambda o: edit(o, _without("manifest")),
    "E042": _content("content/a.txt"),
    "E043": lambda o: edit(o, _without("versions")),
    "E045": _changed("versions", to=[]),
    "E046": lambda o: _mkdir(o, "v3"),
    "E047": _changed("versions", "v2", to="x"),
    "E048": lambda o: edit(o, _without("versions", "v2", "created")),
    "E049": _changed("versions", "v2", "created", to="2024-01-01T00:00Z"),
    "E050": _changed("versions", "v2", "state", digest(b"?"), to=["c"]),
    "E051": _changed("versions", "v2", "state", A, to="a.txt"),
    "E052": _logical("x/../a.txt"),
    "E053": _logical("/a.txt"),
    "E054": _changed("versions", "v2", "user", to={"address": "mailto:ann@example.org"}),
    "E056": _fixity({"": {}}),
    "E057": _fixity({"md5": []}),
    "E058": lambda o: drop(o, "inventory.json.sha512"),
    "E059": lambda o: _rename(o, "inventory.json.sha512", "inventory.json.sha256"),
    "E060": lambda o: put(o, "inventory.json.sha512", f"{'0' * 128} inventory.json\n"),
    "E061": lambda o: put(o, "inventory.json.sha512", digest((o / "inventory.json").read_bytes())),
    "E063": lambda o: drop(o, "inventory.json"),
    "E064": lambda o: _root_only(o, "fixity", {}),
    "E066": lambda o: edit_first(o, _set("versions", "v1", "state", A, to=["other.txt"])),
    "E067": lambda o: put(o, "extensions/stray"),
    "E089": _pipe,
    "E090": _symlink,
    "E092": lambda o: put(o, A_PATH, b"Alpha\n"),
    "E093": _fixity({"md5": {"0" * 32: [A_PATH]}}),
    "E094": _changed("versions", "v2", "message", to=["x"]),
    "E095": lambda o: edit(o, _set("versions", "v2", "state", A, to=["folder"])),
    "E096": _respelled,
    "E097": _fixity({"md5": {"ab" * 16: [A_PATH], "AB" * 16: [A_PATH]}}),
    "E098": _content(3),
    "E099": _content("v1/content/../content/a.txt"),
    "E100": _content("/v1/content/a.txt"),
    "E101": _content(A_PATH),
    "E102": _changed("colour", to="red"),
    "E103": lambda o: _older(o),  # noqa: PLW0108 - defined below
    "E104": _changed("versions", "2", to={"created": "2024-01-01T00:00:00Z", "state": {}}),
    "E105": _changed("versions", "v0", to={"created": "2024-01-01T00:00:00Z", "state": {}}),
    "E106": _changed("manifest", to=[]),
    "E107": lambda o: edit(put(o, "v2/content/unused", b"?"), _set("manifest", digest(b"?"), to=["v2/content/unused"])),
    "E108": _changed("contentDirectory", to=""),
    "E111": _fixity([]),
    "W001": lambda o: make_object(o.with_name("padded"), name="v{:03}"),
    "W002": lambda o: _mkdir(o, "v1/other"),
    "W003": lambda o: _mkdir(make_object(o.with_name("short"), [VERSIONS[0], VERSIONS[0]]), "v2/content"),
    "W004": lambda o: make_object(o.with_name("other"), algorithm="sha256"),
    "W005": lambda o: edit_first(_changed("id", to="one")(o), _set("id", to="one")),
    "W007": lambda o: edit(o, _without("versions", "v2", "message")),
    "W008": _changed("versions", "v2", "user", to={"name": "Ann"}),
    "W009": _changed("versions", "v2", "user", to={"name": "Ann", "address": "at home"}),
    "W010": lambda o: drop(o, "v1/inventory.json", "v1/inventory.json.sha512"),
    "W011": lambda o: edit_first(o, _set("versions", "v1", "message", to="Another")),
    "O505": lambda o: _kept_as_it_was(o),  # noqa: PLW0108 - defined below
    "O504": lambda o: _rename(
        make_object(o.with_name("spelt"), [{"caf\u00e9": b"x"}]), "v1/content/caf\u00e9", "v1/content/cafe\u0301"
    ),
    "O502": lambda o: put(o, "extensions/0005-mutable-head/head/inventory.json", "{}"),
    "W013": lambda o: put(o, "extensions/of-our-own/config.json"),
    "O801": _fixity({"whirlpool": {"00": [A_PATH]}}),
    "O901": _too_long,
    "O902": _large,
}
"""Code to what spoils a valid object so that the code is found; each returns what is to be judged."""


def _kept_as_it_was(folder: Path) -> Path:
    """An object as an archive in worm mode has it: the root's inventory is the first version's for ever."""
    for place in (folder, folder / "v2", folder / "v1"):
        save(place, {**load(place), "id": "muniment:main/main/1"})
    for name in ("inventory.json", "inventory.json.sha512"):
        (folder / name).write_bytes((folder / "v1" / name).read_bytes())
    return folder


def _three(folder: Path) -> Path:
    """Three versions, the middle one with another content folder."""
    other = make_object(folder.with_name("three"), [*VERSIONS, VERSIONS[1]])
    inventory = load(other / "v2")
    inventory["contentDirectory"] = "stuff"
    save(other / "v2", inventory)
    return other


def _older(folder: Path) -> Path:
    """Three versions, the middle one under an older specification than the first."""
    other = make_object(folder.with_name("older"), [*VERSIONS, VERSIONS[1]])
    inventory = load(other / "v2")
    inventory["type"] = "https://ocfl.io/1.0/spec/#inventory"
    save(other / "v2", inventory)
    return other


def _layout(root: Path, name: str) -> Path:
    return put(root, "ocfl_layout.json", json.dumps({"extension": name, "description": "x"}))


ROOTS: dict[str, Callable[[Path], Path]] = {
    "E069": lambda r: drop(r, "0=ocfl_1.1"),
    "E070": lambda r: put(r, "ocfl_layout.json", json.dumps({"extension": LAYOUT})),
    "E071": lambda r: put(r, "ocfl_layout.json", json.dumps({"extension": 1, "description": "x"})),
    "E072": lambda r: put(r, "aa/stray"),
    "E073": lambda r: _mkdir(r, "aa/empty"),
    "E075": lambda r: _mkdir(drop(r, "0=ocfl_1.1"), "0=ocfl_1.1"),
    "E076": lambda r: put(r, "0=ocfl_1.0", "ocfl_1.0\n"),
    "E077": lambda r: _rename(r, "0=ocfl_1.1", "ocfl_1.1"),
    "E078": lambda r: _rename(r, "0=ocfl_1.1", "1=ocfl_1.1"),
    "E079": lambda r: _rename(r, "0=ocfl_1.1", "0=ocfl_9.9"),
    "E080": lambda r: put(r, "0=ocfl_1.1", "ocfl_1.1"),
    "E081": lambda r: put(drop(r, "0=ocfl_1.1"), "0=ocfl_1.0", "ocfl_1.0\n"),
    "E112": lambda r: put(r, "extensions/stray"),
    "W015": _object_beside,
    "O501": lambda r: _layout(r, "0002-flat-direct-storage-layout"),
    "O503": lambda r: put(_layout(r, LAYOUT), f"extensions/{LAYOUT}/config.json", '{"delimiter": "1"}'),
    "O903": lambda r: _layout(r, "mine"),
    "O904": lambda r: put(_layout(r, LAYOUT), f"extensions/{LAYOUT}/config.json", '{"tupleSize": 99}'),
    "W016": lambda r: put(r, "extensions/of-our-own/config.json"),
    "O802": lambda r: put(r, "ocfl_1.1.md"),
}
"""Code to what spoils a valid storage root so that the code is found."""

CODES = sorted({*OBJECTS, *ROOTS})


def bad_ocfl(code: str, folder: Path) -> Path:
    """An object or root that has the finding `code`."""
    if code in ROOTS:
        return ROOTS[code](make_root(folder / "root"))
    return OBJECTS[code](make_object(folder / "object"))
