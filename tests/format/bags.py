"""Bags of our own making: one that is right, and for each code one that is wrong in just that way."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

ADDRESS = "https://example.org/profile.json"
FILES = {"data/a.txt": b"alpha\n", "data/folder/b.txt": b"beta\n"}


@dataclass(frozen=True, slots=True)
class Case:
    """A bag to judge, and the profile it is held against."""

    path: Path
    profile: Path | None = None


def digest(data: bytes, algorithm: str = "sha512") -> str:
    """Hexadecimal digest of `data`."""
    return hashlib.new(algorithm, data).hexdigest()


def make_bag(folder: Path, *, version: str = "1.0", info: str = "", algorithm: str = "sha512") -> Path:
    """A complete and valid bag."""
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    oxum = f"{sum(map(len, FILES.values()))}.{len(FILES)}"
    (folder / "bagit.txt").write_text(f"BagIt-Version: {version}\nTag-File-Character-Encoding: UTF-8\n", "utf-8")
    name = "bag-info.txt" if version >= "0.96" else "package-info.txt"
    (folder / name).write_text(f"Payload-Oxum: {oxum}\nContact-Name: Ann\n{info}", "utf-8")
    lines = [f"{digest(data, algorithm)}  {path}\n" for path, data in FILES.items()]
    (folder / f"manifest-{algorithm}.txt").write_text("".join(lines), "utf-8")
    return seal(folder, algorithm)


def seal(folder: Path, algorithm: str = "sha512") -> Path:
    """Write the tag manifest anew, so that a change of a tag file is the only fault."""
    tags = sorted(path for path in folder.glob("*.txt") if path.is_file() and not path.name.startswith("tagmanifest"))
    lines = [f"{digest(path.read_bytes(), algorithm)}  {path.name}\n" for path in tags]
    (folder / f"tagmanifest-{algorithm}.txt").write_text("".join(lines), "utf-8")
    return folder


def add(folder: Path, name: str, text: str) -> Path:
    """Append to a tag file and seal the bag."""
    with (folder / name).open("a", encoding="utf-8", newline="") as file:
        file.write(text)
    return seal(folder)


def listing(folder: Path, path: str, data: bytes = b"alpha\n") -> Path:
    """A further line in the payload manifest."""
    return add(folder, "manifest-sha512.txt", f"{digest(data)}  {path}\n")


def extra(folder: Path, path: str, data: bytes = b"alpha\n") -> Path:
    """A further payload file, listed; the Payload-Oxum goes, as it would no longer fit."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(data)
    (folder / "bag-info.txt").write_text("Contact-Name: Ann\n", "utf-8")
    return listing(folder, path, data)


def write(folder: Path, name: str, data: str | bytes) -> Path:
    """Replace a tag file and seal the bag."""
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return seal(folder)


def _drop(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    return folder


def _not_there(folder: Path) -> Path:
    """A folder nobody can list: its path is longer than any system call takes."""
    deep = os.open(folder / "data", os.O_RDONLY)
    for _ in range(18):
        os.mkdir("x" * 250, dir_fd=deep)
        below = os.open("x" * 250, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    return folder


def _link(folder: Path, target: str) -> Path:
    (folder / "data/link").symlink_to(target)
    return folder


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "data/pipe")
    return folder


def _empty_folder(folder: Path) -> Path:
    (folder / "data/empty").mkdir()
    return folder


def _without_payload(folder: Path) -> Path:
    for name in FILES:
        (folder / name).unlink()
    (folder / "data/folder").rmdir()
    (folder / "data").rmdir()
    return folder


def _second_manifest(folder: Path) -> Path:
    return write(folder, "manifest-sha256.txt", f"{digest(FILES['data/a.txt'], 'sha256')}  data/a.txt\n")


def _unsealed(folder: Path, line: str) -> Path:
    with (folder / "tagmanifest-sha512.txt").open("a", encoding="utf-8") as file:
        file.write(line)
    return folder


def _tag_manifest_gap(folder: Path) -> Path:
    path = folder / "tagmanifest-sha512.txt"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "manifest-" not in line))
    return folder


def pack(folder: Path, name: str, members: Mapping[str, bytes | None] | None = None, *, compress: str = "") -> Path:
    """The bag as a tar, or `members` alone; a member of None is a symbolic link."""
    packed = folder.parent / name
    mode = cast("Literal['w:']", f"w:{compress}")
    with tarfile.open(packed, mode) as tar:
        if members is None:
            tar.add(folder, arcname=folder.name)
        for path, data in (members or {}).items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data or b"")
            if data is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(entry, io.BytesIO(data or b""))
    return packed


def _cut(path: Path) -> Path:
    os.truncate(path, path.stat().st_size // 2)
    return path


def _by_checksum_tool(bag: Path) -> Path:
    """The manifest as the checksum command itself writes it."""
    names = sorted(os.path.relpath(path, bag) for path in (bag / "data").rglob("*") if path.is_file())
    done = subprocess.run(["sha512sum", *names], cwd=bag, capture_output=True, check=True)
    return write(bag, "manifest-sha512.txt", done.stdout)


FETCH = "https://example.org/c {size} {path}\n"
_PAYLOAD_LINE = f"{digest(b'alpha' + bytes([10]))}  "

FAULTS: dict[str, Callable[[Path], Path]] = {
    "B001": lambda bag: _drop(bag, "bagit.txt"),
    "B002": lambda bag: write(bag, "bagit.txt", "BagIt-Version : 1.0\nTag-File-Character-Encoding: UTF-8\n"),
    "B003": lambda bag: write(bag, "bagit.txt", b"\xef\xbb\xbf" + (bag / "bagit.txt").read_bytes()),
    "B004": lambda bag: write(bag, "bagit.txt", "BagIt-Version: .97\nTag-File-Character-Encoding: UTF-8\n"),
    "B005": lambda bag: write(bag, "bag-info.txt", b"Contact-Name: \xff\xfe\n"),
    "B006": _without_payload,
    "B007": lambda bag: seal(_drop(bag, "manifest-sha512.txt")),
    "B010": lambda bag: add(bag, "manifest-sha512.txt", "nothing\n"),
    "B011": lambda bag: add(bag, "manifest-sha512.txt", "abc  data/c.txt\n"),
    "B012": lambda bag: listing(bag, "../../etc/passwd"),
    "B013": lambda bag: listing(bag, "bagit.txt"),
    "B014": lambda bag: _unsealed(bag, f"{_PAYLOAD_LINE}data/a.txt\n"),
    "B015": lambda bag: _unsealed(bag, f"{_PAYLOAD_LINE}tagmanifest-sha512.txt\n"),
    "B016": lambda bag: listing(bag, "data/a.txt", b"other"),
    "B017": _tag_manifest_gap,
    "B020": lambda bag: _drop(bag, "data/a.txt"),
    "B021": lambda bag: write(listing(bag, "data/c"), "fetch.txt", FETCH.format(size="-", path="data/c")),
    "B022": lambda bag: _touch(bag, "data/unlisted"),
    "B023": _second_manifest,
    "B024": lambda bag: _touch(bag, "data/a.txt", b"Alpha\n"),
    "B025": lambda bag: _link(bag, "/etc/passwd"),
    "B026": _pipe,
    "B030": lambda bag: write(bag, "fetch.txt", "no address\n"),
    "B031": lambda bag: write(bag, "fetch.txt", FETCH.format(size=3, path="bag-info.txt")),
    "B032": lambda bag: write(bag, "fetch.txt", FETCH.format(size=3, path="data/c")),
    "B040": lambda bag: add(bag, "bag-info.txt", "no colon\n"),
    "B041": lambda bag: write(bag, "bag-info.txt", "Payload-Oxum: much\n"),
    "B042": lambda bag: write(bag, "bag-info.txt", "Payload-Oxum: 1.1\n"),
    "B043": lambda bag: add(bag, "bag-info.txt", "Payload-Oxum: 11.2\n"),
    "B050": lambda bag: pack(bag, "bag.tar", {"bag/../../escape": b"x"}),
    "B051": lambda bag: pack(bag, "bag.tar", {"one/x": b"x", "two/x": b"x"}),
    "B052": lambda bag: _cut(pack(bag, "bag.tar.gz", compress="gz")),
    "B501": lambda bag: listing(bag, "data/a.txt"),
    "B502": lambda bag: extra(bag, "data/A.txt"),
    "B503": lambda bag: _respell(extra(bag, "data/\u00e9"), "data/\u00e9", "data/e\u0301"),
    "B504": lambda bag: _respell(extra(bag, "data/c"), "data/c", "./data/c"),
    "B505": lambda bag: _respell(extra(bag, "data/c"), " data/c", "*data/c"),
    "B506": lambda bag: extra(bag, "data/.DS_Store"),
    "B508": _empty_folder,
    "B509": lambda bag: write(listing(_link(bag, "a.txt"), "data/link"), "bag-info.txt", "Contact-Name: Ann\n"),
    "B510": lambda bag: add(bag, "bag-info.txt", "Note :  wide\n"),
    "B511": lambda bag: add(bag, "bag-info.txt", "Bag-Size: 1\nBag-Size: 2\n"),
    "B512": lambda bag: pack(bag, "other.tar"),
    "B513": lambda bag: extra(bag, "data/aux"),
    "B514": lambda bag: _without_end(pack(bag, "bag.tar")),
    "B515": lambda bag: pack(_touch(bag, "data/._a.txt", b"\0\5\x16\7AppleDouble"), "bag.tar"),
    "B516": lambda bag: zipped(extra(bag, "data/caf\u00e9.txt"), encoding="utf-8"),
    "B517": lambda bag: write(bag, "bag-info.txt", b"\xef\xbb\xbf" + (bag / "bag-info.txt").read_bytes()),
    "B518": lambda bag: seal(_renamed(bag, "manifest-sha512.txt", "manifest-SHA512.txt")),
    "B519": lambda bag: extra(bag, "data/100%25 done"),
    "B522": lambda bag: _by_checksum_tool(extra(bag, "data/c\\d")),
    "B523": lambda bag: add(bag, "bag-info.txt", "External-Identifier: a\nExternal-Identifier: b\n"),
    "B521": lambda bag: extra(bag, "data/ro-crate-metadata.json", b'{"@graph": []}'),
    "B520": lambda bag: _earlier(listing(bag, "data/a.txt")),
    "B901": _not_there,
    "B902": lambda bag: write(bag, "bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: Klingon\n"),
    "B903": lambda bag: write(bag, "manifest-whirlpool.txt", "".join(f"00  {path}\n" for path in FILES)),
    "B905": lambda bag: write(bag, "bagit.txt", "BagIt-Version: 0.98\nTag-File-Character-Encoding: UTF-8\n"),
    "B906": lambda bag: add(bag, "bag-info.txt", "Long: " + "x" * 70_000),
}
"""Code to what spoils a valid bag so that the code is found; each returns what is to be judged."""


def _without_end(path: Path) -> Path:
    data = path.read_bytes().rstrip(b"\0")
    path.write_bytes(data + bytes(-len(data) % 512))
    return path


def _renamed(folder: Path, old: str, new: str) -> Path:
    (folder / old).rename(folder / new)
    return folder


def _earlier(folder: Path) -> Path:
    return write(folder, "bagit.txt", "BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n")


def zipped(folder: Path, *, encoding: str) -> Path:
    """The bag as a zip whose names are in `encoding`, without a word which it is."""

    class Unmarked(zipfile.ZipInfo):
        def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's name
            return self.filename.encode(encoding), self.flag_bits & ~0x800

    target = folder.parent / f"{folder.name}.zip"
    with zipfile.ZipFile(target, "w") as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.writestr(Unmarked(str(path.relative_to(folder.parent))), path.read_bytes())
    return target


def _touch(folder: Path, name: str, data: bytes = b"new") -> Path:
    (folder / name).write_bytes(data)
    return folder


def _respell(folder: Path, old: str, new: str) -> Path:
    manifest = folder / "manifest-sha512.txt"
    return write(folder, manifest.name, manifest.read_text("utf-8").replace(old, new))


def _weak(folder: Path) -> Case:
    return Case(make_bag(folder, algorithm="md5"))


PROFILES: dict[str, dict[str, object]] = {
    "B060": {"Accept-BagIt-Version": ["0.97"]},
    "B061": {"BagIt-Profile-Info": {"BagIt-Profile-Identifier": "https://example.org/other.json"}},
    "B062": {"Bag-Info": {"Source-Organization": {"required": True}}},
    "B063": {"Bag-Info": {"Contact-Name": {"values": ["Bob"]}}},
    "B064": {"Bag-Info": {"Keyword": {"repeatable": False}}},
    "B065": {"Manifests-Required": ["md5"]},
    "B066": {"Manifests-Allowed": ["sha256"]},
    "B067": {"Tag-Manifests-Required": ["md5"]},
    "B068": {"Tag-Manifests-Allowed": ["sha256"]},
    "B070": {"Serialization": "required"},
    "B071": {"Tag-Files-Required": ["rights.txt"]},
    "B072": {"Tag-Files-Allowed": ["rights*.txt"]},
    "B073": {"Payload-Files-Required": ["data/index.html"]},
    "B074": {"Payload-Files-Allowed": ["data/*.html"]},
    "B075": {"Fetch.txt-Required": True},
    "B076": {"Data-Empty": True},
    "B904": {"Manifests-Required": "md5"},
}
"""Code to the demand that a valid bag does not meet."""


def make_profile(folder: Path, demands: Mapping[str, object]) -> Path:
    """A profile's file with these demands and nothing else."""
    path = folder / "profile.json"
    path.write_text(json.dumps({"BagIt-Profile-Info": {"BagIt-Profile-Identifier": ADDRESS}, **demands}), "utf-8")
    return path


def bad_bag(code: str, folder: Path) -> Case:
    """A bag that has the finding `code`."""
    bag = folder / "bag"
    if code == "B507":
        return _weak(bag)
    make_bag(bag, info=f"BagIt-Profile-Identifier: {ADDRESS}\nKeyword: one\nKeyword: two\n")
    if code in PROFILES:
        add(bag, "other.txt", "a tag file of our own\n")
        return Case(bag, make_profile(folder, PROFILES[code]))
    if code == "B069":
        write(listing(bag, "data/c"), "fetch.txt", FETCH.format(size="-", path="data/c"))
        return Case(bag, make_profile(folder, {"Allow-Fetch.txt": False}))
    return Case(FAULTS[code](bag))


CODES = sorted({*FAULTS, *PROFILES, "B069", "B507"})
