"""The Debian package is the same whoever builds it, and is installed, used and removed like any other."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from muniment import __version__

ROOT = Path(__file__).resolve().parents[3]
UNITS = ROOT / "docs" / "howto" / "systemd"
AS_SOMEBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "HOME=/desk", "TERM=dumb"]
pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deb")
    subprocess.run([sys.executable, "scripts/debian_package.py", "--output", folder], cwd=ROOT, check=True)
    (made,) = folder.iterdir()
    return made


@pytest.fixture
def machine(bare_debian: Path, tmp_path: Path) -> Path:
    """A Debian in a folder, to be entered by `chroot`, which root alone may."""
    place = tmp_path / "machine"
    place.mkdir(mode=0o755)
    subprocess.run(["tar", "-xpf", bare_debian, "-C", place, "--exclude=./dev/*"], check=True)
    subprocess.run(["mknod", "-m", "666", place / "dev" / "null", "c", "1", "3"], check=True)
    subprocess.run(["mknod", "-m", "666", place / "dev" / "urandom", "c", "1", "9"], check=True)
    return place


def inside(machine: Path, *words: str) -> str:
    done = subprocess.run(["chroot", machine, *words], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def test_it_is_installed_used_by_somebody_and_removed(package: Path, machine: Path) -> None:
    subprocess.run(["cp", package, machine / "tmp" / "muniment.deb"], check=True)
    inside(machine, "dpkg", "--install", "/tmp/muniment.deb")
    assert "install ok installed" in inside(machine, "dpkg", "--status", "muniment")
    inside(machine, "sh", "-c", "mkdir /desk && chown nobody /desk")
    for command in (
        "muniment init A > key",
        "echo hello | muniment -a A add - --as a.txt --id thing",
        "muniment -a A audit",
        "muniment -a A key create reader",
        "muniment -a A export thing --layout bag -o bag && muniment validate bag",
        "muniment -a A doctor",
    ):
        inside(machine, *AS_SOMEBODY, "sh", "-ec", f"cd /desk; {command}")
    for unit in UNITS.iterdir():
        assert (machine / "lib/systemd/system" / unit.name).read_text() == unit.read_text()
    # As they are printed the units start a program that the package brings.
    assert __version__ in inside(machine, "/opt/muniment/bin/muniment", "--version")
    assert inside(machine, "find", "/opt/muniment", "-newer", "/desk/key") == "", "running it wrote there"
    inside(machine, "dpkg", "--remove", "muniment")
    assert not (machine / "opt" / "muniment").exists()
    assert inside(machine, "ls", "/desk/A/muniment.json")


def test_it_is_built_again_as_the_same_bytes_and_names_nothing_of_where(package: Path, tmp_path: Path) -> None:
    again = subprocess.run(
        [sys.executable, "scripts/debian_package.py", "--output", tmp_path],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    digests = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in (package, again.stdout.decode().strip())]
    assert digests[0] == digests[1]
    unpacked = tmp_path / "unpacked"
    subprocess.run(["dpkg-deb", "--extract", package, unpacked], check=True)
    named = subprocess.run(["grep", "-rlaF", "muniment-deb-", unpacked], check=False, capture_output=True, text=True)
    assert named.stdout == ""
