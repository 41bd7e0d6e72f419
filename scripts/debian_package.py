"""Build a Debian package into dist/: what the image holds, below /opt/muniment, with the units of docs/howto/systemd.

The package is for Debians with the Python it was built with: what it holds was compiled for that one, and for this
machine's kind of processor.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = Path("opt/muniment")
"""Below the root of the machine; the units of the documentation look there."""
PYTHON = "/usr/bin/python3"
CONTROL = """\
Package: muniment
Version: {version}
Architecture: {architecture}
Maintainer: The Muniment maintainers <nobody@localhost>
Installed-Size: {size}
Depends: python3 (>= {python}), python3 (<< {python_after}), libc6
Recommends: libvips42
Section: utils
Priority: optional
Description: digital preservation archive
 Packages are OCFL objects and BagIt bags at once, with parity, an append-only
 log, audits, copies, and a server; they can be read without it.
"""
LAUNCHER = f"""#!/{PLACE}/bin/python3
import sys

from muniment.cli import main

sys.exit(main())
"""


def main() -> int:
    """Build it; an error of a program that helps ends this one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    given = parser.parse_args()
    print(build(given.output.absolute()))
    return 0


def build(output: Path) -> Path:
    """Build it in the folder `output`, and return where it lies.

    Raises:
        CalledProcessError: A program that is needed failed, or is not there.
    """
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="muniment-deb-") as folder:
        stage = Path(folder) / "stage"
        stage.mkdir(mode=0o755)
        install(stage / PLACE, Path(folder))
        described(stage)
        made = output / f"muniment_{version()}_{architecture()}.deb"
        command = ["dpkg-deb", "--root-owner-group", "-Zzstd", "--build", str(stage), str(made)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment())
    return made


def install(place: Path, scratch: Path) -> None:
    """Make the environment that will lie in `place`: what is pinned, with its hashes, and the wheel of this commit."""
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(place)], check=True)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(place / "bin" / "python3"),
        "install",
        "--quiet",
        "--no-compile",
    ]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements" / "runtime.txt")], check=True)
    subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "dist.py"), "--output", str(scratch / "dist")],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run([*pip, "--no-deps", *map(str, (scratch / "dist").glob("*.whl"))], check=True)
    # Commands name the interpreter by its place, and ours is not here: only the one that the package is for stays.
    for path in (place / "bin").iterdir():
        if not path.name.startswith("python"):
            path.unlink()
    (place / "bin" / "muniment").write_text(LAUNCHER, "utf-8")
    (place / "bin" / "muniment").chmod(0o755)
    # What pip notes for itself names this folder: where the wheel lay, and digests of commands that are gone.
    for name in ("direct_url.json", "RECORD"):
        for path in place.glob(f"lib/python3*/site-packages/*.dist-info/{name}"):
            path.unlink()
    settings = place / "pyvenv.cfg"
    kept = [line for line in settings.read_text("utf-8").splitlines() if not line.startswith(("command", "executable"))]
    settings.write_text("\n".join(kept) + "\n", "utf-8")
    # Nobody may write there later, and a start should not compile; by their hashes the bytes are the same each time.
    compiled = [PYTHON, "-m", "compileall", "-q", "-s", str(place.parents[1]), "-p", "/", str(place / "lib")]
    # Some of what is installed is for other Pythons, and cannot be compiled by this one.
    subprocess.run([*compiled, "--invalidation-mode", "unchecked-hash"], check=False, stdout=subprocess.DEVNULL)


def described(stage: Path) -> None:
    """Put beside it what Debian wants of a package: control file, command, units, licence."""
    command = stage / "usr" / "bin"
    command.mkdir(parents=True)
    (command / "muniment").symlink_to(f"/{PLACE}/bin/muniment")
    units = stage / "lib" / "systemd" / "system"
    units.mkdir(parents=True)
    for unit in (ROOT / "docs" / "howto" / "systemd").iterdir():
        shutil.copy(unit, units)
    papers = stage / "usr" / "share" / "doc" / "muniment"
    papers.mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", papers / "copyright")
    shutil.copy(ROOT / "CHANGELOG.md", papers)
    for path in [stage, *stage.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    size = sum(path.lstat().st_size for path in stage.rglob("*")) // 1024
    asked = [PYTHON, "-c", "import sys; print(*sys.version_info[:2])"]
    major, minor = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()
    (stage / "DEBIAN").mkdir()
    control = CONTROL.format(
        version=version(),
        architecture=architecture(),
        size=size,
        python=f"{major}.{minor}",
        python_after=f"{major}.{int(minor) + 1}",
    )
    (stage / "DEBIAN" / "control").write_text(control, "utf-8")


def version() -> str:
    """The version of the code."""
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "src/muniment/__init__.py").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


def architecture() -> str:
    """Debian's name for this machine's processor."""
    asked = ["dpkg", "--print-architecture"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def environment() -> dict[str, str]:
    """With the commit's time, which dpkg-deb takes for every file in the package."""
    asked = ["git", "log", "-1", "--format=%ct"]
    when = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    return {**os.environ, "SOURCE_DATE_EPOCH": when}


if __name__ == "__main__":
    raise SystemExit(main())
