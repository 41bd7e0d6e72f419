"""A source that another package brings: installed beside Muniment, found by its entry point, used like any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.fetch.keeping import Keeper

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "howto" / "bring-a-source.md"


def install(folder: Path, module: str, project: str) -> Path:
    """Build and install a package of one module into a folder of its own, without any network."""
    source, target = folder / "package", folder / "site-packages"
    source.mkdir()
    (source / "pyproject.toml").write_text(project, "utf-8")
    (source / "muniment_shelf.py").write_text(module, "utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([*command, "--target", str(target), str(source)], check=True, env=environment, timeout=120)
    return target


def blocks(language: str) -> list[str]:
    text = PAGE.read_text("utf-8")
    return [part.partition("```")[0] for part in text.split(f"```{language}\n")[1:]]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the how-to, as it is printed there."""
    (project,), (module, *_) = blocks("toml"), blocks("python")
    return install(tmp_path_factory.mktemp("shelf"), module, project)


def test_an_installed_source_is_fetched_from_as_printed_in_the_howto(shelf: Path, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, environment={"PYTHONPATH": str(shelf)})
    keeper.run("fetch", "shelf", "name=atlas", "--id", "atlas")
    assert keeper.files("atlas")["page-1.txt"] == b"page 1 of atlas\n"
    shown = json.loads(keeper.run("show", "atlas", "--json").stdout)
    assert shown["metadata"]["fetched"]["sources"][0]["not_taken"] == ["the bindings"]


def test_an_installed_source_is_checked_like_any_other(shelf: Path, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, environment={"PYTHONPATH": str(shelf)})
    assert "missing the field name" in keeper.run("fetch", "shelf", status=4).stderr
    assert "shelf" in keeper.run("fetch", "nothing-like-it", status=4).stderr


def test_without_the_package_there_is_no_such_source(tmp_path: Path) -> None:
    assert "Unsupported service shelf" in Keeper(tmp_path).run("fetch", "shelf", "name=atlas", status=4).stderr


def test_a_package_that_cannot_be_imported_is_named_and_nothing_else_is_touched(tmp_path: Path) -> None:
    (project,) = blocks("toml")
    place = install(tmp_path, "raise RuntimeError('no shelf here')", project)
    keeper = Keeper(tmp_path, environment={"PYTHONPATH": str(place)})
    broken = keeper.run("fetch", "shelf", "name=atlas", status=4).stderr
    assert "muniment-shelf" in broken
    assert "RuntimeError: no shelf here" in broken
    assert "Unsupported service gopher" in keeper.run("fetch", "gopher", status=4).stderr
