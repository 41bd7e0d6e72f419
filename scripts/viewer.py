"""Bring OpenSeadragon, which shows scans with tiles, from npm: pinned by scripts/viewer.txt, and proved by its digest.

Nothing of it is committed. Where npm is missing or cannot be reached, nothing happens but a line that says so: pages
then show their images plainly. What is there already is not asked for again.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "src/muniment/imaging/openseadragon"
WANTED = {
    "package/build/openseadragon/openseadragon.min.js": "openseadragon.min.js",
    "package/LICENSE.txt": "LICENSE.txt",
}
"""What is kept of the package, by its name in it; the last file that is written says the version."""
_SECONDS = 60
_LARGEST = 20 << 20


class Pin(NamedTuple):
    """A package of npm, its version, and the digest that it must have."""

    package: str
    version: str
    integrity: str

    @property
    def file(self) -> str:
        """What `npm pack` calls it."""
        return f"{self.package}-{self.version}.tgz"


def main() -> int:
    """Bring it if it is not there. Only a package that is another than the pinned one is a failure."""
    pin = pinned(ROOT / "scripts/viewer.txt")
    if is_there(pin):
        return 0
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not installed, so scans are shown without a viewer: plain images stand in its place.")
        return 0
    with tempfile.TemporaryDirectory(prefix="muniment-viewer-") as folder:
        packed = fetched(npm, pin, Path(folder))
        if packed is None:
            print(f"npm did not give {pin.package} {pin.version}: scans are shown as plain images.")
            return 0
        if integrity(packed) != pin.integrity:
            print(f"{pin.package} {pin.version} is another package than scripts/viewer.txt says.", file=sys.stderr)
            return 1
        install(packed, pin)
    return 0


def pinned(path: Path) -> Pin:
    """The one package that the file names."""
    (line,) = (each for each in path.read_text("utf-8").splitlines() if each and not each.startswith("#"))
    return Pin(*line.split())


def is_there(pin: Pin) -> bool:
    """Whether the pinned version was brought whole."""
    version = PLACE / "VERSION"
    return version.is_file() and version.read_text("utf-8").strip() == pin.version


def fetched(npm: str, pin: Pin, folder: Path) -> Path | None:
    """The package as a file in the folder; None where npm cannot get it."""
    command = [npm, "pack", f"{pin.package}@{pin.version}", "--ignore-scripts", "--silent"]
    command += ["--fetch-retries=0", f"--fetch-timeout={_SECONDS * 500}", f"--pack-destination={folder}"]
    try:
        subprocess.run(command, cwd=folder, check=True, timeout=_SECONDS, stdin=subprocess.DEVNULL, capture_output=True)
    except (subprocess.SubprocessError, OSError):
        return None
    packed = folder / pin.file
    return packed if packed.is_file() else None


def integrity(packed: Path) -> str:
    """Its digest as npm writes one (Subresource Integrity)."""
    with packed.open("rb") as file:
        return "sha512-" + base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()


def install(packed: Path, pin: Pin) -> None:
    """Put what is wanted into its place, each file in one step and the version last."""
    PLACE.mkdir(exist_ok=True)
    with tarfile.open(packed) as tar:
        for member, name in WANTED.items():
            file = tar.extractfile(member)
            assert file is not None, f"{member} is no file in {packed.name}"
            put(PLACE / name, file.read(_LARGEST))
    put(PLACE / "VERSION", f"{pin.version}\n".encode())


def put(place: Path, data: bytes) -> None:
    """Write a file in one step: several may set up at once."""
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    fresh.write_bytes(data)
    fresh.replace(place)


if __name__ == "__main__":
    sys.exit(main())
