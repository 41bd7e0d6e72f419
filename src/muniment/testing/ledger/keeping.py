"""The ledger's contract: credentials and periods."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment.errors.jobs import (
    BadSubmission,
    NoKeyFile,
    SecretNotGiven,
    SecretUnreadable,
)
from muniment.jobs import Call, Json, Keyring, Ledger, Period, Priority, State
from muniment.jobs.model import Outcome
from muniment.testing.ledger.fixtures import Clock, Fixtures, done


class Keeping(Fixtures):
    """Credentials and periods."""

    def test_credentials_are_shown_to_the_step_that_names_them(self, ledger: Ledger) -> None:
        """And to no other."""
        secrets: dict[str, Json] = {"github": {"token": "ghp_verysecret"}, "s3": "key"}
        ledger.submit("harvest", Call("fetch", secrets=("github",)), requester="ada", secrets=secrets)
        [root] = self.take(ledger)
        assert ledger.secrets_for(root) == {"github": {"token": "ghp_verysecret"}}
        self.tell(ledger, done(root, spawn=[Call("file", 1), Call("file", 2, secrets=("s3",))]))
        one, two = self.take(ledger)
        assert ledger.secrets_for(one) == {}
        assert ledger.secrets_for(two) == {"s3": "key"}

    @pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
    def test_credentials_are_erased_when_the_job_ends(self, ledger: Ledger, end: str) -> None:
        """In whatever way it does."""
        call = Call("fetch", secrets=("github",))
        job = ledger.submit("harvest", call, requester="ada", secrets={"github": "ghp_verysecret"})
        [claim] = self.take(ledger)
        assert ledger.secrets_for(claim) == {"github": "ghp_verysecret"}
        if end == "cancelled":
            ledger.cancel(job.id)
        self.tell(ledger, Outcome(claim, State(end)))
        assert ledger.job(job.id).state == end
        with pytest.raises(SecretNotGiven):
            ledger.secrets_for(claim)

    def test_a_credential_that_was_not_brought_is_refused(self, ledger: Ledger) -> None:
        """Before anything is queued."""
        with pytest.raises(SecretNotGiven):
            ledger.submit("harvest", Call("fetch", secrets=("github",)), requester="ada")
        assert ledger.jobs() == []

    def test_a_credential_in_the_content_is_refused(self, ledger: Ledger) -> None:
        """It would stand in the ledger for ever."""
        with pytest.raises(BadSubmission):
            ledger.submit(
                "x",
                Call("fetch", {"url": "https://tok3n-of-twenty-letters@host/"}),
                requester="a",
                secrets={"t": "tok3n-of-twenty-letters"},
            )

    def test_without_a_key_file_credentials_are_refused(self, place: str | Path, ledger: Ledger) -> None:
        """They are never kept in clear."""
        with Ledger.open(place) as bare, pytest.raises(NoKeyFile):
            bare.submit("harvest", Call("fetch", secrets=("t",)), requester="ada", secrets={"t": "tok3n"})
        assert ledger.jobs() == []

    def test_keys_can_be_rotated_under_running_jobs(
        self, place: str | Path, ledger: Ledger, clock: Clock, tmp_path: Path
    ) -> None:
        """New key on top, seal anew, old key out."""
        call = Call("fetch", secrets=("t",))
        ledger.submit("harvest", call, requester="ada", secrets={"t": "tok3n"})
        [claim] = self.take(ledger)
        old, new, both = tmp_path / "keys", tmp_path / "new", tmp_path / "both"
        Keyring.create(new)
        both.touch(0o600)
        both.write_bytes(new.read_bytes() + old.read_bytes())
        with Ledger.open(place, keyring=Keyring.read(both)) as rotating:
            assert rotating.rotate_secrets() == 1
            assert rotating.rotate_secrets() == 0
        with Ledger.open(place, keyring=Keyring.read(new)) as after:
            assert after.secrets_for(claim) == {"t": "tok3n"}
        with pytest.raises(SecretUnreadable):
            ledger.secrets_for(claim)

    def test_a_period_submits_when_it_is_due_and_one_at_a_time(self, ledger: Ledger, clock: Clock) -> None:
        """A run that is still under way is not joined by another."""
        ledger.schedule(Period("nightly", "3600", "audit", Call("fetch", {"all": True}), priority=Priority.PRIORITY))
        assert ledger.tick() == []
        clock.move(3600)
        [job] = ledger.tick()
        assert (job.kind, job.requester, job.priority) == ("audit", "period", Priority.PRIORITY)
        assert ledger.tick() == []
        clock.move(3600)
        assert ledger.tick() == []
        [claim] = self.take(ledger)
        assert claim.given == {"all": True}
        self.tell(ledger, done(claim))
        clock.move(7200)
        assert len(ledger.tick()) == 1

    def test_scheduling_the_same_again_does_not_put_it_off(self, ledger: Ledger, clock: Clock) -> None:
        """A server that restarts every half hour still gets its hourly run."""
        period = Period("nightly", "3600", "audit", Call("fetch"))
        ledger.schedule(period)
        clock.move(3600)
        ledger.schedule(period)
        assert len(ledger.tick()) == 1
        ledger.unschedule("nightly")
        clock.move(9999)
        assert ledger.tick() == []
        assert ledger.periods() == []
