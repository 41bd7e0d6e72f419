"""The ledger's contract: claims, fences, losses and retries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from muniment.errors.jobs import (
    LeaseLost,
)
from muniment.jobs import Call, Job, JobState, Ledger, Priority, State
from muniment.jobs.model import Outcome
from muniment.jobs.outcomes import LOSSES, put_back
from muniment.testing.ledger.fixtures import NAMES, Clock, Fixtures, done


class Leasing(Fixtures):
    """Claims, fences, losses and retries."""

    def test_a_step_is_given_to_one_worker(self, ledger: Ledger) -> None:
        """However many ask."""
        ledger.submit("harvest", Call("fetch"), requester="ada")
        assert len(self.take(ledger, owner="one")) == 1
        assert self.take(ledger, owner="two") == []

    def test_priority_comes_before_bulk(self, ledger: Ledger) -> None:
        """And older before newer."""
        for name, priority in (("a", Priority.BULK), ("b", Priority.PRIORITY), ("c", Priority.PRIORITY)):
            ledger.submit("harvest", Call("fetch", name), requester="ada", priority=priority)
        assert [claim.given for claim in ledger.leases.exchange("one", (), (5, 0), NAMES).claims] == ["b", "c"]
        assert [claim.given for claim in ledger.leases.exchange("one", (), (0, 5), NAMES).claims] == ["a"]

    def test_a_worker_takes_only_what_it_knows(self, ledger: Ledger) -> None:
        """The rest stays for others."""
        ledger.submit("harvest", Call("fetch"), requester="ada")
        assert ledger.leases.exchange("one", (), (5, 5), ["other"]).claims == []
        assert len(self.take(ledger)) == 1

    def test_a_step_nobody_knows_is_an_outage_and_waits_for_who_does(self, ledger: Ledger, clock: Clock) -> None:
        """However long that takes; while a live worker knows it, it is none."""
        job = ledger.submit("harvest", Call("mystery"), requester="ada")
        ledger.leases.announce("two", "local", ["mystery"], forget_after=1000)
        clock.move(101)
        assert ledger.leases.sweep("one", 100, 200, NAMES).news.began == []
        clock.move(200)
        [outage] = ledger.leases.sweep("one", 100, 200, NAMES).news.began
        assert "mystery" in outage.name
        clock.move(100 * 86400)
        assert ledger.leases.sweep("one", 100, 200, NAMES).news.began == []
        [claim] = ledger.leases.exchange("three", (), (1, 1), ["mystery"]).claims
        over = ledger.leases.exchange("three", [done(claim)]).news.over
        assert [each.name for each in over] == [outage.name]
        assert ledger.job(job.id).state is JobState.DONE

    def test_a_worker_that_was_silent_keeps_what_it_holds_from_itself(self, ledger: Ledger, clock: Clock) -> None:
        """It knows best that it lives: its machine slept, or nobody could reach the ledger."""
        ledger.submit("harvest", Call("fetch"), requester="ada")
        [claim] = self.take(ledger, owner="one", lease=60)
        clock.move(7200)
        assert ledger.leases.sweep("one", 9999, 100).returned == 0
        assert ledger.leases.pulse("one", {claim.id: claim}, {}, 60).lost == frozenset()
        assert ledger.leases.sweep("other", 9999, 100).returned == 0
        assert self.tell(ledger, done(claim)) == []

    def test_a_silent_worker_loses_its_step_to_another(self, ledger: Ledger, clock: Clock) -> None:
        """And what it says later is refused."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [old] = self.take(ledger, owner="one", lease=60)
        clock.move(59)
        assert ledger.leases.sweep("sweeper", 9999, 100).returned == 0
        clock.move(2)
        assert ledger.leases.sweep("sweeper", 9999, 100).returned == 1
        [new] = self.take(ledger, owner="two")
        assert new.fence > old.fence
        assert (new.attempt, new.losses) == (2, 1)
        assert self.tell(ledger, done(old, result="stale"), owner="one") != []
        assert self.tell(ledger, done(new, result="fresh"), owner="two") == []
        assert ledger.job(job.id).result == "fresh"

    def test_a_stale_worker_cannot_spawn_or_write_progress(self, ledger: Ledger, clock: Clock) -> None:
        """Its heartbeat tells it so."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [old] = self.take(ledger, lease=10)
        clock.move(11)
        ledger.leases.sweep("sweeper", 9999, 100)
        [new] = self.take(ledger, owner="one")  # even the same owner: the fence decides
        with pytest.raises(LeaseLost):
            ledger.leases.spawn(old, [Call("file")])
        assert ledger.leases.pulse("one", {old.id: old}, {old.id: ("x", 1, 1, 1)}).lost == {old.id}
        assert ledger.step(new.id).what == ""
        assert ledger.job(job.id).steps == 1

    def test_a_heartbeat_keeps_the_lease(self, ledger: Ledger, clock: Clock) -> None:
        """As long as it comes in time."""
        ledger.submit("harvest", Call("fetch"), requester="ada")
        [claim] = self.take(ledger, lease=60)
        for _ in range(5):
            clock.move(50)
            assert ledger.leases.pulse("one", {claim.id: claim}, {}, 60).lost == frozenset()
            assert ledger.leases.sweep("sweeper", 9999, 100).returned == 0
        assert self.tell(ledger, done(claim)) == []

    def test_a_step_that_kills_its_workers_fails(self, ledger: Ledger, clock: Clock) -> None:
        """After so many losses, with waits between them."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        taken = 0
        for _ in range(10_000):
            taken += len(self.take(ledger, lease=1))
            clock.move(10)
            ledger.leases.sweep("sweeper", 9999, 100)
            if ledger.job(job.id).ended:
                break
        assert taken == LOSSES
        ended = ledger.job(job.id)
        assert ended.state is JobState.FAILED
        assert f"{LOSSES} times" in ended.reason

    def test_a_step_that_was_renewed_meanwhile_is_not_put_back_with_others(self, ledger: Ledger, clock: Clock) -> None:
        """Between looking for silent workers and putting back what they held, one may have spoken."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [parent] = self.take(ledger, owner="one", lease=60)
        ledger.leases.spawn(parent, [Call("fetch", "child")])
        [child] = self.take(ledger, owner="two", lease=600)
        clock.move(61)
        now = ledger.database.now()
        both = partial(put_back, job=job.id, ids=[parent.id, child.id], now=now)
        assert ledger.database.write(both) == 1
        lines = [(line.what, line.step) for line in ledger.history(job.id) if "not heard of" in line.detail]
        assert lines == [("lost", parent.id)]
        assert ledger.leases.pulse("two", {child.id: child}, {}, 60).lost == frozenset()

    def test_a_call_may_set_its_own_number_of_losses(self, ledger: Ledger, clock: Clock) -> None:
        """For a step that is known to be dangerous."""
        job = ledger.submit("harvest", Call("fetch", losses=1), requester="ada")
        self.take(ledger, lease=1)
        clock.move(2)
        ledger.leases.sweep("sweeper", 9999, 100)
        assert ledger.job(job.id).state is JobState.FAILED

    def test_a_step_that_is_given_back_waits_for_its_time(self, ledger: Ledger, clock: Clock) -> None:
        """And its reason can be read meanwhile."""
        ledger.submit("harvest", Call("fetch"), requester="ada")
        [claim] = self.take(ledger)
        self.tell(ledger, Outcome(claim, State.READY, reason="429", next_at=clock() + 30))
        clock.move(29)
        assert self.take(ledger) == []
        assert ledger.step(claim.id).reason == "429"
        clock.move(1)
        [again] = self.take(ledger)
        assert (again.attempt, again.failures) == (2, 0)

    def test_a_call_may_begin_later(self, ledger: Ledger, clock: Clock) -> None:
        """Not before its time."""
        ledger.submit("harvest", Call("fetch", at=clock() + 10), requester="ada")
        assert self.take(ledger) == []
        clock.move(10)
        assert len(self.take(ledger)) == 1

    def test_a_lost_message_is_sent_again(self, ledger: Ledger, clock: Clock) -> None:
        """When its time is over, or at once if it is known not to have gone."""
        ledger.submit("harvest", Call("fetch"), requester="ada")
        [step] = ledger.leases.unsent(Priority.BULK, 10, 60)
        assert ledger.leases.unsent(Priority.PRIORITY, 10, 60) == []
        assert ledger.leases.unsent(Priority.BULK, 10, 60) == []
        ledger.leases.unsend([step])
        assert ledger.leases.unsent(Priority.BULK, 10, 60) == [step]
        clock.move(4)
        assert ledger.leases.unsent(Priority.BULK, 10, 60, lost_after=5) == []
        clock.move(1)
        assert ledger.leases.unsent(Priority.BULK, 10, 60, lost_after=5) == [step]
        clock.move(60)
        assert len(ledger.leases.unsent(Priority.BULK, 10, 60)) == 1
        self.take(ledger)
        clock.move(60)
        assert ledger.leases.unsent(Priority.BULK, 10, 60) == []

    def test_workers_are_known_while_they_are_heard_of(self, ledger: Ledger, clock: Clock) -> None:
        """With what they know."""
        ledger.leases.announce("one", "local", ["b", "a"], forget_after=500)
        clock.move(100)
        ledger.leases.announce("two", "celery", [], forget_after=500)
        assert [(worker.id, worker.names) for worker in ledger.workers()] == [("one", ("a", "b")), ("two", ())]
        clock.move(100)
        assert [worker.id for worker in ledger.workers()] == ["two"]
        ledger.leases.leave("two")
        assert ledger.workers() == []

    def test_what_is_owed_is_counted_by_queue(self, ledger: Ledger) -> None:
        """For the operator's eye."""
        ledger.submit("harvest", Call("fetch", 1), requester="ada")
        self.take(ledger)
        ledger.submit("harvest", Call("fetch", 2), requester="ada", priority=Priority.PRIORITY)
        assert ledger.owed() == {(Priority.BULK, State.RUNNING): 1, (Priority.PRIORITY, State.READY): 1}

    def test_workers_at_once_take_each_step_once(self, ledger: Ledger) -> None:
        """In several jobs at the same time, and each job ends."""
        jobs = [ledger.submit("harvest", Call("fetch", n), requester="ada").id for n in range(6)]
        for root in self.take(ledger):
            calls = [Call("file", n) for n in range(20)]
            self.tell(ledger, done(root, spawn=calls, then=Call("join")))
        taken: list[str] = []

        def work(owner: str) -> None:
            outcomes: list[Outcome] = []
            for _ in range(1000):
                exchange = ledger.leases.exchange(owner, outcomes, (0, 7), NAMES)
                assert exchange.refused == []
                outcomes = [done(claim) for claim in reversed(exchange.claims)]
                taken.extend(claim.id for claim in exchange.claims)
                if not outcomes and all(ledger.job(job).ended for job in jobs):
                    return
            raise AssertionError("never done")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, ["one", "two", "three", "four"]))
        assert len(taken) == len(set(taken)) == 6 * 21
        assert {ledger.job(job).state for job in jobs} == {JobState.DONE}

    def test_equal_submissions_at_once_make_one_job(self, ledger: Ledger) -> None:
        """One of them is told that it made it."""

        def submit(_: int) -> Job:
            return ledger.submit("harvest", Call("fetch"), requester="ada", key="k")

        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(submit, range(8)))
        assert len({job.id for job in made}) == 1
        assert sum(job.new for job in made) == 1
        assert len(self.take(ledger)) == 1
