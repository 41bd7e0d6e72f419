"""A layout that another package brings: found by its entry point, used like any other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.acceptance.brought import as_printed, spoilt
from tests.acceptance.fetch.keeping import Keeper

PAGE = "add-a-layout.md"


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the how-to, as it is printed there."""
    return as_printed(tmp_path_factory.mktemp("listed"), PAGE, "muniment_listed")


def kept(tmp_path: Path, packages: Path) -> Keeper:
    """An archive with one resource, whose keeper has a package installed."""
    keeper = Keeper(tmp_path, environment={"PYTHONPATH": str(packages)})
    (tmp_path / "given" / "sub").mkdir(parents=True)
    (tmp_path / "given" / "a.txt").write_bytes(b"one")
    (tmp_path / "given" / "sub" / "ä b.txt").write_bytes(b"two")
    keeper.run("add", str(tmp_path / "given"), "--id", "thing")
    return keeper


def test_an_installed_layout_is_exported_as_printed_in_the_howto(listed: Path, tmp_path: Path) -> None:
    keeper = kept(tmp_path, listed)
    for target in ("thing.tar", "again.tar", "folder"):
        keeper.run("export", "thing", "--layout", "listed", "-o", str(tmp_path / target))
    assert (tmp_path / "thing.tar").read_bytes() == (tmp_path / "again.tar").read_bytes()
    subprocess.run(["tar", "-xf", "thing.tar"], cwd=tmp_path, check=True)
    for place in ("thing", "folder"):
        subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path / place, check=True)
        assert (tmp_path / place / "files" / "sub" / "ä b.txt").read_bytes() == b"two"


def test_a_layout_that_fails_is_named_with_its_package_and_leaves_nothing(listed: Path, tmp_path: Path) -> None:
    keeper = kept(tmp_path, spoilt(tmp_path, listed, "muniment_listed", "def lay_listed(it): return it.nothing"))
    failed = keeper.run("export", "thing", "--layout", "listed", "-o", str(tmp_path / "out"), status=4).stderr
    assert "muniment-listed" in failed
    assert "AttributeError" in failed
    assert not (tmp_path / "out").exists()
    keeper.run("export", "thing", "--layout", "bag", "-o", str(tmp_path / "bag"))


def test_an_unknown_layout_is_answered_with_those_there_are(listed: Path, tmp_path: Path) -> None:
    told = kept(tmp_path, listed).run("export", "thing", "--layout", "none", "-o", str(tmp_path / "x"), status=4).stderr
    assert "bag, instances, ocfl, ro-crate, listed" in told
