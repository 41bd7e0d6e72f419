"""A source that another package brings: installed beside Muniment, found by its entry point, used like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.brought import as_printed, spoilt
from tests.acceptance.fetch.keeping import Keeper

PAGE = "bring-a-source.md"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the how-to, as it is printed there."""
    return as_printed(tmp_path_factory.mktemp("shelf"), PAGE, "muniment_shelf")


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


def test_a_package_that_cannot_be_imported_is_named_and_nothing_else_is_touched(shelf: Path, tmp_path: Path) -> None:
    place = spoilt(tmp_path, shelf, "muniment_shelf", "raise RuntimeError('no shelf here')")
    keeper = Keeper(tmp_path, environment={"PYTHONPATH": str(place)})
    broken = keeper.run("fetch", "shelf", "name=atlas", status=4).stderr
    assert "muniment-shelf" in broken
    assert "RuntimeError: no shelf here" in broken
    assert "Unsupported service gopher" in keeper.run("fetch", "gopher", status=4).stderr
