"""Build wheel and sdist into dist/ so that one commit gives the same bytes on every machine, with their digests."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Build them; the status is the builder's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    given = parser.parse_args()
    for path in build(given.output.absolute()):
        print(path)
    return 0


def build(output: Path) -> list[Path]:
    """Build at `output`, which is emptied first; what lies there then.

    Raises:
        CalledProcessError: The builder or git failed.
    """
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    # hatchling takes every time in the packages from here; the commit's, so that it says when the content is from.
    asked = ["git", "log", "-1", "--format=%ct"]
    when = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    environment = {**os.environ, "SOURCE_DATE_EPOCH": when}
    # Without isolation: the builder is pinned among our requirements, and nothing is fetched.
    for kind in ("sdist", "wheel"):
        command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(output)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    made = sorted(output.iterdir())
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made)
    (output / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    return [*made, output / "SHA256SUMS"]


if __name__ == "__main__":
    raise SystemExit(main())
