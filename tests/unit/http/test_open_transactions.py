"""The open transactions of a server: few stay open between two requests, and none is kept from others by a fault."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muniment.archive import Archive, Transaction
from muniment.errors.archive import DiskFull
from muniment.server.native import open_transactions
from muniment.server.native.open_transactions import OpenTransactions


def test_few_transactions_keep_their_files_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_transactions, "_MOST_OPEN", 2)
    with Archive.init(tmp_path / "archive", parity=False) as archive:
        held = OpenTransactions(archive, 60)
        names = []
        before = len(os.listdir("/proc/self/fd"))
        for number in range(5):
            begun = archive.new(f"r{number}")
            begun.add(b"first", "first")
            held.keep(begun)
            names.append(begun.transaction)
        assert len(os.listdir("/proc/self/fd")) == before + 2 * 2
        for name in names:
            with held.hold(name, archive) as transaction:
                transaction.add(b"second", "second")
        assert len(os.listdir("/proc/self/fd")) == before + 2 * 2
        for name in names:
            with held.hold(name, archive) as transaction:
                assert sorted(transaction.commit()) == ["first", "second"]
        assert len(os.listdir("/proc/self/fd")) <= before


def test_a_transaction_whose_lease_cannot_be_written_is_free_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Archive.init(tmp_path / "archive", parity=False) as archive:
        begun: Transaction = archive.new("r")

        def refuse(_: float) -> None:
            raise DiskFull(path=begun.area.folder)

        monkeypatch.setattr(begun.area, "write_lease", refuse)
        with pytest.raises(DiskFull):
            OpenTransactions(archive, 60).keep(begun)
        archive.resume(begun.transaction).rollback()
