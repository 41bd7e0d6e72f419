"""A bare Debian like this machine's, in which packages and images are tried."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

NEEDED = "python3,python3-venv,ca-certificates"


@pytest.fixture(scope="session")
def bare_debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tar of a system with Python and nothing else, from the places where this machine's packages are from."""
    made = tmp_path_factory.mktemp("debian") / "base.tar"
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").iterdir()]
    there = [str(path) for path in sources if path.is_file() and path.suffix in {".list", ".sources"}]
    command = ["mmdebstrap", "-q", "--variant=minbase", f"--include={NEEDED}", release, str(made), *there]
    subprocess.run(command, check=True, timeout=1200)
    return made
