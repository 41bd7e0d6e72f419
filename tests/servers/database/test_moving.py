"""The control database moves from a file to PostgreSQL, and back, with all it holds and owes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from muniment.access import AccessStore
from muniment.database import Database
from muniment.database.transfer import copy_all
from muniment.errors.database import DatabaseNotEmpty, DatabaseUnavailable
from muniment.jobs import Call, JobState, Keyring, Ledger, LocalEngine
from tests.servers.jobs.workshop import PACE, registry
from tests.unit.database.kept import check, restore


def test_a_job_begun_on_one_machine_is_ended_on_many(place: str, tmp_path: Path) -> None:
    keyring = Keyring.create(tmp_path / "keys")
    with (
        Ledger.open(tmp_path / "control.db", keyring=keyring) as here,
        Ledger.open(place, keyring=keyring, migrate=True) as there,
    ):
        ended = here.submit("test", Call("leaf", {"n": 1, "seconds": 0.0}), requester="ada", key="first")
        with LocalEngine(here, registry(tmp_path), pace=PACE):
            list(here.watch(ended.id, every=0.05, timeout=20))
        call = Call("confiding", secrets=("token",), failures=1)
        secret = here.submit("test", call, requester="ada", secrets={"token": "ghp_verysecret1"})
        fan = here.submit("test", Call("fan", {"count": 20}), requester="ada", key="second")
        here.leases.exchange("gone", (), (0, 1), ["fan"], lease=0.5)  # a worker that will never be heard of again

        counts = copy_all(here.database, there.database)
        assert (counts["jobs"], counts["secrets"]) == (3, 1)
        assert there.job(ended.id) == here.job(ended.id)
        with pytest.raises(DatabaseNotEmpty):
            copy_all(here.database, there.database)

        with LocalEngine(there, registry(tmp_path), pace=PACE):
            for job in (fan, secret):
                list(there.watch(job.id, every=0.05, timeout=20))
        assert there.job(fan.id).result == sum(range(20))
        assert "[secret]" in there.job(secret.id).reason
        assert there.job(secret.id).state is JobState.FAILED
        assert not there.submit("test", Call("fan", {"count": 20}), requester="ada", key="second").new
        lines = there.history(fan.id)
        assert [line.seq for line in lines] == sorted({line.seq for line in lines})
        assert lines[0].at <= time.time()


def test_keys_rules_selections_and_answers_come_along_and_back(place: str, tmp_path: Path) -> None:
    name = "sqlite-0002-all"
    restore(name, tmp_path / "one.db")
    with (
        Database.open(tmp_path / "one.db") as one,
        Database.open(place, migrate=True) as many,
        Database.open(tmp_path / "back.db") as back,
    ):
        there = copy_all(one, many)
        assert copy_all(many, back) == there
        assert there["access_keys"] == 2
        assert there["idempotency_answers"] == there["nexus_selections"] == 1
        for database in (one, many, back):
            check(name, database)
        with pytest.raises(DatabaseNotEmpty, match="access_keys"):
            copy_all(one, many)


def test_a_copy_that_breaks_off_leaves_nothing_behind(place: str, tmp_path: Path) -> None:
    restore("sqlite-0002-all", tmp_path / "one.db")
    with Database.open(tmp_path / "one.db") as one, Database.open(place, migrate=True) as many:
        # The last table that is copied cannot be read.
        one.write(lambda connection: connection.exec_driver_sql("DROP TABLE steps"))
        with pytest.raises(DatabaseUnavailable):
            copy_all(one, many)
        assert AccessStore(many).keys.all() == []
        assert Ledger(many).jobs() == []
