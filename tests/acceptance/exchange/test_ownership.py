"""Who did it is true: a transaction belongs to who began it, and whoever else closes it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muniment import Archive
from muniment.archive import Agent
from muniment.archive import Archive as LocalArchive
from muniment.content.identity import new_uuid
from muniment.content.transaction import Transaction
from muniment.errors.archive import LeftoverNotFound, TransactionForbidden
from muniment.errors.base import MunimentError
from muniment.remote.connection import Server
from muniment.workflows.two_phase import resolve
from tests.servers.native.running import Running, serving

ADA = Agent("Ada", "https://example.org/ada")
BOB = Agent("Bob", "https://example.org/bob")
WRITER = {"resources/read", "resources/write"}


@pytest.fixture
def ada(tmp_path: Path) -> Iterator[LocalArchive]:
    with LocalArchive.init(tmp_path / "archive", workers=0, redundancy=0, agent=ADA) as archive:
        yield archive


def left_by(archive: LocalArchive, id: str = "r") -> str:
    transaction = archive.new(id)
    transaction.add(b"hers", "file")
    transaction.leave()
    return transaction.transaction


def test_nobody_else_takes_up_a_transaction_in_a_folder(ada: LocalArchive) -> None:
    left = left_by(ada)
    bob = ada.acting_as(BOB)
    with pytest.raises(TransactionForbidden, match="Ada"):
        bob.resume(left)
    # and it was let go of: it is still hers
    instance = ada.resume(left).commit()
    assert instance.agent == {"name": ADA.name, "address": ADA.address}


def test_who_replays_what_another_left_is_named_beside_them(ada: LocalArchive) -> None:
    left = left_by(ada)
    instance = ada.acting_as(BOB).replay(left)
    assert instance.agent["name"] == "Ada"
    event = [each for each in ada.events() if each.event == "ingestion"][-1]
    assert event.agent == str(BOB)
    assert event.detail["begun by"] == str(ADA)


def test_who_replays_what_they_left_is_named_alone(ada: LocalArchive) -> None:
    ada.replay(left_by(ada))
    event = [each for each in ada.events() if each.event == "ingestion"][-1]
    assert event.agent == str(ADA)
    assert "begun by" not in event.detail


def test_nobody_else_decides_that_a_prepared_transaction_be_committed(ada: LocalArchive) -> None:
    group, transaction = new_uuid(), ada.new("r")
    transaction.add(b"hers", "file")
    transaction.prepare(group, ada.config.id)
    transaction.leave()
    bob = ada.acting_as(BOB)
    with pytest.raises(TransactionForbidden):
        bob.decide(group, [{"archive": ada.config.id, "transaction": transaction.transaction}])
    # a decision that does not name it commits nothing of hers either
    bob.decide(group, [])
    ada.recover()
    assert "r" not in ada
    assert resolve(ada) == [transaction.transaction]
    assert "r" not in ada


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with serving(tmp_path / "archive", init={"redundancy": 0}) as running:
        yield running


def test_over_http_nobody_else_fills_finishes_or_commits_it(server: Running) -> None:
    """Not even with a right to all that is in the archive."""
    mine, theirs = (server.new_key(name, **{"/": WRITER}) for name in ("ada", "bob"))
    with Archive(server.url, key=mine) as ada, Archive(server.url, key=theirs) as bob:
        transaction = ada.new("r")
        transaction.add(b"hers", "file")
        hers, raw = Server(server.url, mine), Server(server.url, theirs)
        place = f"/transactions/{transaction.transaction}"
        upload = hers.ask("POST", f"{place}/uploads", given={"path": "big", "size": 3}).json()
        asked: dict[str, Callable[[], object]] = {
            "resume": lambda: bob.resume(transaction.transaction),
            "read": lambda: raw.ask("GET", f"{place}/files"),
            "fill": lambda: borrowed(bob, transaction).add(b"his", "his"),
            "fill with something large": lambda: borrowed(bob, transaction).add(bytes(2_000_000), "his"),
            "append": lambda: append(raw, f"{place}/uploads/{upload['upload']}", b"his"),
            "finish": lambda: raw.ask("POST", f"{place}/uploads/{upload['upload']}", given={"digests": {}}),
            "look at an upload": lambda: raw.ask("GET", f"{place}/uploads/{upload['upload']}"),
            "drop an upload": lambda: raw.ask("DELETE", f"{place}/uploads/{upload['upload']}"),
            "leave out": lambda: borrowed(bob, transaction).delete("file"),
            "link": lambda: borrowed(bob, transaction).note_links({"a": "b"}, []),
            "say": lambda: raw.ask("PUT", f"{place}/metadata", given={"metadata": {"by": "bob"}}),
            "prepare": lambda: borrowed(bob, transaction).prepare(new_uuid(), ada.config.id),
            "commit": lambda: raw.ask("POST", f"{place}/commit", given={}),
            "roll back": lambda: borrowed(bob, transaction).rollback(),
            "decide": lambda: bob.decide(
                new_uuid(), [{"archive": ada.config.id, "transaction": transaction.transaction}]
            ),
        }
        for what, ask in asked.items():
            assert refused(ask), f"bob could {what}"
        raw.close()
        hers.close()
        instance = transaction.commit()
        assert list(instance) == ["file"]
        assert instance.agent["name"] == "ada"


def test_who_may_not_write_there_does_not_learn_of_it(server: Running) -> None:
    mine = server.new_key("ada", **{"/": WRITER})
    theirs = server.new_key("bob", _other_place=WRITER)
    with Archive(server.url, key=mine) as ada, Archive(server.url, key=theirs) as bob:
        transaction = ada.new("r")
        with pytest.raises(LeftoverNotFound):
            bob.resume(transaction.transaction)
        transaction.rollback()


def test_an_administrator_may_close_what_others_left_and_is_named(server: Running) -> None:
    mine = server.new_key("ada", **{"/": WRITER})
    with Archive(server.url, key=mine) as ada, Archive(server.url, key=server.key) as keeper:
        lost, kept = ada.new("lost"), ada.new("kept")
        for each in (lost, kept):
            each.add(b"hers", "file")
        keeper.roll_back(lost.transaction)
        with pytest.raises(MunimentError):
            lost.commit()
        instance = keeper.replay(kept.transaction)
        assert instance.agent["name"] == "ada"
        event = [each for each in keeper.events() if each.event == "ingestion"][-1]
        assert event.agent.startswith("keeper <")
        assert event.detail["begun by"].startswith("ada <")


def borrowed(archive: Archive, transaction: Transaction) -> Transaction:
    """The same transaction at the same server, in the hands of somebody with another key."""
    from muniment.remote.transaction import RemoteTransaction

    record = {name: getattr(transaction, name) for name in ("transaction", "id", "project", "number", "prepared")}
    return RemoteTransaction(archive._server, {**record, "metadata": {}})  # type: ignore[attr-defined]


def append(server: Server, upload: str, data: bytes) -> None:
    headers = {"Upload-Offset": "0", "Content-Length": str(len(data))}
    server.open("PATCH", upload, headers=headers, body=[data])


def refused(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except TransactionForbidden:
        return True
    return False
