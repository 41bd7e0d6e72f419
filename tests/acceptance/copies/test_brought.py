"""A store that another package brings: copies go there and come back, like with any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.brought import as_printed, spoilt
from tests.acceptance.fetch.keeping import Keeper

PAGE = "add-a-store.md"
POLICY = '[[copies]]\nstore = "vault"\nlayout = "ocfl"\n'


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the how-to, as it is printed there."""
    return as_printed(tmp_path_factory.mktemp("sqlite"), PAGE, "muniment_sqlite")


def test_copies_are_made_on_an_installed_store_and_brought_back_from_it(sqlite: Path, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, environment={"PYTHONPATH": str(sqlite)})
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "a.txt").write_bytes(b"one")
    keeper.run("add", str(tmp_path / "a.txt"), "--id", "thing")
    place = f"sqlite://{tmp_path}/vault.db"
    keeper.run("store", "add", "vault", place)
    keeper.run("policy", "set", "*", str(tmp_path / "policy.toml"))
    keeper.run("copies", "make")
    assert "1 of 1 protected" in keeper.run("copies").stdout
    (tmp_path / "a.txt").write_bytes(b"two")
    keeper.run("add", str(tmp_path / "a.txt"), "--id", "thing")
    keeper.run("copies", "make")
    keeper.run("restore", "--from", place, "-o", str(tmp_path / "again"))
    again = Keeper(tmp_path, str(tmp_path / "again"), {"PYTHONPATH": str(sqlite)})
    again.run("audit")
    assert [again.files("thing", number) for number in (1, 2)] == [{"a.txt": b"one"}, {"a.txt": b"two"}]


def test_a_store_that_cannot_be_imported_is_named_with_its_package(sqlite: Path, tmp_path: Path) -> None:
    packages = spoilt(tmp_path, sqlite, "muniment_sqlite", "import nothing_of_that_name")
    keeper = Keeper(tmp_path, environment={"PYTHONPATH": str(packages)})
    failed = keeper.run("store", "add", "vault", f"sqlite://{tmp_path}/vault.db", status=4).stderr
    assert "muniment-sqlite" in failed
    assert "nothing_of_that_name" in failed
    keeper.run("store", "add", "other", str(tmp_path / "other"))


def test_without_the_package_there_is_no_such_scheme(tmp_path: Path) -> None:
    told = Keeper(tmp_path).run("store", "add", "vault", "sqlite:///vault.db", status=4).stderr
    assert "file://" in told
    assert "sqlite://" not in told.partition("one of")[2]
