"""The ledger's contract: outages that are waited out, jobs that are put aside, and whose turn it is."""

from __future__ import annotations

from collections import Counter

import pytest

from muniment.errors.jobs import CredentialsErased, NothingToRetry, SubjectTaken
from muniment.jobs import Call, Claim, JobState, Ledger, Priority, State
from muniment.jobs.model import Outcome
from muniment.testing.ledger.fixtures import Clock, Fixtures, done, failed


def held_up(claim: Claim, name: str = "store-unreachable at s3", reason: str = "no route to host") -> Outcome:
    """The outcome of a step that met an outage."""
    return Outcome(claim, State.READY, reason=reason, waits_for=name, counts="outages")


class Waiting(Fixtures):
    """Steps wait for what is ours as long as that takes, and are woken together when it is over."""

    def test_an_outage_never_fails_a_step(self, ledger: Ledger, clock: Clock) -> None:
        """However often it is met; the pauses grow, but one step always tries within minutes."""
        job = ledger.submit("harvest", Call("fetch", failures=1), requester="ada")
        pauses = []
        for _ in range(100):
            [claim] = self.take(ledger)
            ledger.leases.exchange("one", [held_up(claim)])
            step = ledger.step(claim.id)
            pauses.append(step.next_at - clock())
            clock.at = step.next_at
        assert (step.state, step.failures, step.waits_for) == (State.READY, 0, "store-unreachable at s3")
        assert pauses[0] < 2
        assert pauses[:8] == sorted(pauses[:8])
        assert 200 < pauses[-1] < 400
        [claim] = self.take(ledger)
        self.tell(ledger, done(claim, "there"))
        assert (ledger.job(job.id).state, ledger.job(job.id).result) == (JobState.DONE, "there")

    def test_an_outage_is_told_once_and_its_end_once(self, ledger: Ledger) -> None:
        """By whoever met it first, and by whoever got past it."""
        _, claims = self.fan(ledger, 3)
        assert ledger.control.outages() == []
        news = ledger.leases.exchange("one", [held_up(claims[0])]).news
        assert [(each.name, each.reason) for each in news.began] == [("store-unreachable at s3", "no route to host")]
        news = ledger.leases.exchange("two", [held_up(claims[1]), held_up(claims[2])]).news
        assert news.began == []
        assert [each.name for each in ledger.control.outages()] == ["store-unreachable at s3"]

    def test_the_end_of_an_outage_wakes_all_that_wait_for_it(self, ledger: Ledger, clock: Clock) -> None:
        """Those of other jobs too, though their own pause would be a day."""
        _, ours = self.fan(ledger, 3)
        theirs, others = self.fan(ledger, 2)
        for _ in range(30):
            ledger.leases.exchange("one", [held_up(claim) for claim in (*ours, *others)])
            clock.move(2 * 86400)
            taken = self.take(ledger)
            ours, others = [c for c in taken if c.job != theirs], [c for c in taken if c.job == theirs]
        ledger.leases.exchange("one", [held_up(claim) for claim in (*ours, *others)])
        clock.move(500)
        [probe] = self.take(ledger)  # the others wait for longer
        news = ledger.leases.exchange("one", [done(probe)]).news
        assert [each.name for each in news.over] == ["store-unreachable at s3"]
        assert len(self.take(ledger)) == 4
        assert ledger.control.outages() == []

    def test_a_failure_of_its_own_after_an_outage_is_a_failure(self, ledger: Ledger, clock: Clock) -> None:
        """What it got past is over, whatever became of it then."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [claim] = self.take(ledger)
        ledger.leases.exchange("one", [held_up(claim)])
        clock.move(10)
        [claim] = self.take(ledger)
        assert len(ledger.leases.exchange("one", [failed(claim)]).news.over) == 1
        assert ledger.job(job.id).state is JobState.FAILED

    def test_when_the_step_that_tries_often_is_gone_another_does(self, ledger: Ledger, clock: Clock) -> None:
        """Cancelled for instance."""
        first = ledger.submit("harvest", Call("fetch"), requester="ada")
        [claim] = self.take(ledger)
        ledger.leases.exchange("one", [held_up(claim)])
        _, claims = self.fan(ledger, 2)
        for _ in range(20):
            ledger.leases.exchange("one", [held_up(claim) for claim in claims])
            clock.move(2 * 86400)
            claims = self.take(ledger)
        ledger.leases.exchange("one", [held_up(claim) for claim in claims])
        ledger.cancel(first.id)
        clock.move(400)
        assert self.take(ledger) == []
        ledger.leases.sweep("one", 9999, 100)
        assert len(self.take(ledger)) == 1

    def test_an_outage_that_nobody_waits_for_any_more_is_over(self, ledger: Ledger) -> None:
        """Nobody knows better."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [claim] = self.take(ledger)
        ledger.leases.exchange("one", [held_up(claim)])
        assert ledger.leases.sweep("one", 9999, 100).news.over == []
        ledger.cancel(job.id)
        assert [each.name for each in ledger.leases.sweep("one", 9999, 100).news.over] == ["store-unreachable at s3"]
        assert ledger.control.outages() == []

    def test_a_lost_worker_proves_nothing_about_an_outage(self, ledger: Ledger, clock: Clock) -> None:
        """Nor does one that was stopped before it began."""
        ledger.submit("harvest", Call("fetch"), requester="ada")
        [claim] = self.take(ledger)
        ledger.leases.exchange("one", [held_up(claim)])
        clock.move(10)
        [claim] = self.take(ledger)
        untried = Outcome(claim, State.READY, counts="untried")
        assert ledger.leases.exchange("one", [untried]).news.over == []
        [claim] = self.take(ledger, lease=5)
        clock.move(10)
        assert ledger.leases.sweep("other", 9999, 100).returned == 1
        assert len(ledger.control.outages()) == 1
        assert ledger.step(claim.id).waits_for == "store-unreachable at s3"

    def test_a_lifted_limit_wakes_what_waits_for_it(self, ledger: Ledger, clock: Clock) -> None:
        """And only that."""
        _, claims = self.fan(ledger, 2)
        ledger.limits.close("github", 3600, "status 403 to https://api.github.com/user")
        again = [
            Outcome(claim, State.READY, next_at=clock() + 3600, waits_for=name)
            for claim, name in zip(claims, ("github", "gitlab"), strict=True)
        ]
        self.tell(ledger, *again)
        [closed] = ledger.limits.all_closed()
        assert (closed.name, closed.until, closed.by) == (
            "github",
            clock() + 3600,
            "status 403 to https://api.github.com/user",
        )
        assert self.take(ledger) == []
        assert ledger.limits.lift("github") is True
        assert ledger.limits.lift("github") is False
        assert ledger.limits.closed("github") == 0
        assert ledger.limits.all_closed() == []
        assert len(self.take(ledger)) == 1

    def test_a_paused_job_begins_nothing_until_it_goes_on(self, ledger: Ledger, clock: Clock) -> None:
        """What runs may end, and what comes of it waits too."""
        job, claims = self.fan(ledger, 3)
        waiting = Outcome(claims[0], State.READY, next_at=clock() + 50)
        self.tell(ledger, waiting)
        ledger.control.pause(job, by="ada")
        assert ledger.leases.pulse("one", {c.id: c for c in claims[1:]}, {}).paused == {job}
        clock.move(100)
        self.tell(ledger, done(claims[1], spawn=[Call("file", "more")]), Outcome(claims[2], State.READY))
        assert self.take(ledger) == []
        assert ledger.job(job).paused
        assert [line.what for line in ledger.history(job)][-1] == "paused"
        ledger.control.resume(job)
        assert len(self.take(ledger)) == 3
        assert not ledger.job(job).paused

    def test_a_paused_job_can_be_cancelled(self, ledger: Ledger) -> None:
        """At once, for nothing of it runs."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        ledger.control.pause(job.id)
        ledger.cancel(job.id)
        assert ledger.job(job.id).state is JobState.CANCELLED

    def test_a_waiting_job_is_tried_now_when_that_is_asked(self, ledger: Ledger, clock: Clock) -> None:
        """Whatever it waits for."""
        job, claims = self.fan(ledger, 3)
        self.tell(
            ledger,
            held_up(claims[0]),
            Outcome(claims[1], State.READY, next_at=clock() + 9999, counts="failures"),
            Outcome(claims[2], State.READY, next_at=clock() + 9999, waits_for="github"),
        )
        assert self.take(ledger) == []
        ledger.control.retry(job, by="ada")
        assert len(self.take(ledger)) == 3

    def test_a_job_that_failed_is_begun_anew_as_it_was(self, ledger: Ledger, clock: Clock) -> None:
        """Under the same key and about the same, which it takes over; unless another has taken it."""
        call = Call("fetch", {"n": 1}, failures=1)
        given = {"why": "asked"}
        job = ledger.submit(
            "harvest",
            call,
            requester="ada",
            given=given,
            key="k",
            subjects=["s"],
            priority=Priority.PRIORITY,
        )
        [claim] = self.take(ledger)
        self.tell(ledger, failed(claim))
        clock.move(1)
        fresh = ledger.control.retry(job.id, by="bo")
        assert fresh.id != job.id
        assert (fresh.key, fresh.given, fresh.requester, fresh.priority) == ("k", given, "ada", Priority.PRIORITY)
        assert ledger.about("harvest", "s") == ledger.job(fresh.id)
        [again] = self.take(ledger)
        assert (again.job, again.given, again.failures) == (fresh.id, {"n": 1}, 0)
        with pytest.raises(SubjectTaken):
            ledger.control.retry(job.id)
        self.tell(ledger, done(again))
        with pytest.raises(NothingToRetry):
            ledger.control.retry(fresh.id)

    def test_a_failed_job_whose_credentials_are_erased_cannot_be_begun_anew(self, ledger: Ledger) -> None:
        """Only who has them can do that."""
        call = Call("fetch", secrets=("token",))
        job = ledger.submit("harvest", call, requester="ada", secrets={"token": "ghp_verysecret1"})
        [claim] = self.take(ledger)
        self.tell(ledger, failed(claim))
        with pytest.raises(CredentialsErased):
            ledger.control.retry(job.id)

    def test_who_has_little_running_is_next(self, ledger: Ledger) -> None:
        """A batch of one requester does not hold up what another asked for later."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [root] = self.take(ledger)
        self.tell(ledger, done(root, spawn=[Call("file", n) for n in range(50)]))
        first = self.take(ledger, 4)
        assert [claim.job for claim in first] == [job.id] * 4
        for n in range(3):
            ledger.submit("harvest", Call("file", f"bo {n}"), requester="bo")
        ledger.submit("harvest", Call("file", "cy"), requester="cy")
        counts = Counter(ledger.job(claim.job).requester for claim in self.take(ledger, 4))
        assert counts == {"bo": 3, "cy": 1}
        assert len(self.take(ledger, 100)) == 46

    def test_turns_are_taken_within_each_queue_and_priority_goes_first(self, ledger: Ledger) -> None:
        """Together no more than asked for."""
        for n in range(5):
            ledger.submit("harvest", Call("file", n), requester="ada")
            ledger.submit("harvest", Call("file", n), requester="bo", priority=Priority.PRIORITY)
        claims = ledger.leases.exchange("one", (), (4, 2), ["file"]).claims
        assert Counter(claim.priority for claim in claims) == {Priority.PRIORITY: 4}
        claims = ledger.leases.exchange("one", (), (4, 2), ["file"]).claims
        assert Counter(claim.priority for claim in claims) == {Priority.PRIORITY: 1, Priority.BULK: 2}
