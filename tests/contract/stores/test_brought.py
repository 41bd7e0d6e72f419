"""The store of the how-to, held to the contract as it is printed there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from muniment.errors.stores import BadStore, StoreUnreachable
from muniment.stores import Address, Store, StoreContext
from muniment.testing.stores import StoreContract
from tests.acceptance.brought import blocks


@pytest.fixture(scope="module")
def printed() -> dict[str, Any]:
    """The names of the how-to's module."""
    found: dict[str, Any] = {}
    exec(compile(blocks("add-a-store.md", "python")[0], "add-a-store.md", "exec"), found)
    return found


def address(path: Path) -> Address:
    return Address(f"sqlite://{path}", "", str(path))


class TestPrinted(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path, printed: dict[str, Any]) -> Store:
        found = printed["open_at"](address(tmp_path / "a ?#%41 name.db"), StoreContext())
        assert isinstance(found, Store)
        return found


def test_a_store_that_is_not_there_is_not_made_where_it_may_not_be(tmp_path: Path, printed: dict[str, Any]) -> None:
    with pytest.raises(StoreUnreachable):
        printed["open_at"](address(tmp_path / "none.db"), StoreContext(make=False))
    assert not (tmp_path / "none.db").exists()


def test_fields_of_an_address_are_refused(tmp_path: Path, printed: dict[str, Any]) -> None:
    with pytest.raises(BadStore):
        printed["open_at"](Address("sqlite:///x?a=b", "", "/x", fields={"a": "b"}), StoreContext())
