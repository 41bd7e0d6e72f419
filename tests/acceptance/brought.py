"""Packages of others: built from what a how-to prints, and installed where only a test sees them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto"


def blocks(page: str, language: str) -> list[str]:
    """What a how-to prints in a language, in its order."""
    text = (HOWTO / page).read_text("utf-8")
    return [part.partition("```")[0] for part in text.split(f"```{language}\n")[1:]]


def as_printed(folder: Path, page: str, name: str) -> Path:
    """Build and install, without any network, the package that a how-to prints: its description and first module."""
    (project,), (module, *_) = blocks(page, "toml"), blocks(page, "python")
    source, target = folder / "package", folder / "site-packages"
    source.mkdir()
    (source / "pyproject.toml").write_text(project, "utf-8")
    (source / f"{name}.py").write_text(module, "utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([*command, "--target", str(target), str(source)], check=True, env=environment, timeout=120)
    return target


def spoilt(folder: Path, packages: Path, name: str, module: str) -> Path:
    """The same installation with another module in the place of its own."""
    target = folder / "spoilt-packages"
    shutil.copytree(packages, target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / f"{name}.py").write_text(module, "utf-8")
    return target
