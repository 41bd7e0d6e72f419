"""A ledger moves from a file to PostgreSQL with all it holds and owes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from muniment.errors.jobs import LedgerNotEmpty
from muniment.jobs import Call, JobState, Keyring, Ledger, LocalEngine
from muniment.jobs.transfer import copy_ledger
from tests.servers.jobs.workshop import PACE, registry


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

        counts = copy_ledger(here, there)
        assert (counts["jobs"], counts["secrets"]) == (3, 1)
        assert there.job(ended.id) == here.job(ended.id)
        with pytest.raises(LedgerNotEmpty):
            copy_ledger(here, there)

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
