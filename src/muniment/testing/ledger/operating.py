"""The ledger's contract: what an operator sees of it."""

from __future__ import annotations

from muniment.jobs import Call, Ledger, Priority, State
from muniment.jobs.model import DISPATCHER, Outcome
from muniment.testing.ledger.fixtures import Clock, Fixtures, done, failed


class Operating(Fixtures):
    """What is owed, what holds it up, who works on what, what failed and why."""

    def test_steps_are_counted_by_queue_kind_and_state(self, ledger: Ledger) -> None:
        """Those that have ended are not."""
        self.fan(ledger, 3)
        for number in range(2):
            ledger.submit("audit", Call("file", number), requester="bo", priority=Priority.PRIORITY)
        depths = {(each.queue, each.kind, each.state): each.steps for each in ledger.control.operations().depths}
        assert depths == {
            (Priority.PRIORITY, "audit", State.READY): 2,
            (Priority.BULK, "harvest", State.RUNNING): 3,
            (Priority.BULK, "harvest", State.WAITING): 1,
        }

    def test_the_oldest_step_that_waits_for_a_worker_is_told_by_queue(self, ledger: Ledger, clock: Clock) -> None:
        """What is not due yet does not wait for one."""
        ledger.submit("harvest", Call("fetch", at=clock() + 5000), requester="ada")
        assert ledger.control.operations().oldest_due == {}
        ledger.submit("harvest", Call("fetch", "old"), requester="ada")
        since = clock()
        clock.move(60)
        ledger.submit("harvest", Call("fetch", "young"), requester="ada")
        assert ledger.control.operations().oldest_due == {Priority.BULK: since}

    def test_workers_are_told_with_what_they_hold_and_since_when(self, ledger: Ledger, clock: Clock) -> None:
        """The processes of one worker together; who only sends is none."""
        for name, engine in (("celery@one:1:ab", "celery"), ("celery@server:7:ef", DISPATCHER)):
            ledger.leases.announce(name, engine, ["fetch"], forget_after=1000)
        job = ledger.submit("harvest", Call("fetch"), requester="ada", key="k")
        clock.move(3)
        [claim] = self.take(ledger, owner="celery@one:1:ab/22-cd")
        ledger.leases.pulse(claim.id, {claim.id: claim}, {claim.id: ("counting", 3, 9, 700)})
        clock.move(40)
        found = ledger.control.operations()
        assert found.alive == ledger.control.workers_alive() == 1
        worker = next(each for each in found.workers if each.id == "celery@one:1:ab")
        [held] = worker.holds
        assert (held.step.job, held.step.name, held.kind, held.key) == (job.id, "fetch", "harvest", "k")
        assert held.since == clock() - 40
        assert (held.step.what, held.step.done, held.step.total, held.step.size) == ("counting", 3, 9, 700)
        clock.move(900)
        found = ledger.control.operations()
        assert found.alive == ledger.control.workers_alive() == 0
        assert [(each.row, len(each.holds)) for each in found.workers] == [(None, 1)]

    def test_each_job_says_what_it_waits_for(self, ledger: Ledger, clock: Clock) -> None:
        """A worker, an outage, a limit, its time, somebody; and nothing while it goes on."""
        jobs = {n: ledger.submit("harvest", Call("fetch", n), requester="ada") for n in range(6)}
        claims = {claim.given: claim for claim in self.take(ledger)}
        self.tell(
            ledger,
            Outcome(claims[0], State.READY, reason="no route", waits_for="store-unreachable at s3", counts="outages"),
            Outcome(claims[1], State.READY, reason="429", next_at=clock() + 3600, waits_for="github"),
            Outcome(claims[2], State.READY, reason="it broke", next_at=clock() + 8, counts="failures"),
            Outcome(claims[3], State.READY),
            Outcome(claims[4], State.READY),
        )
        ledger.limits.close("github", 3600, "status 429")
        ledger.control.pause(jobs[4].id)
        found = ledger.control.operations()
        waits = {each.job.id: (each.waits_for, each.reason) for each in found.jobs}
        assert [waits[jobs[n].id] for n in range(6)] == [
            ("store-unreachable at s3", "no route"),
            ("github", "429"),
            ("its time to be tried again", "it broke"),
            ("a free worker", ""),
            ("somebody who resumes it", ""),
            (None, ""),
        ]
        until = {each.job.id: each.until for each in found.jobs}
        assert (until[jobs[1].id], until[jobs[2].id]) == (clock() + 3600, clock() + 8)
        assert [(each.waits_for, each.steps) for each in found.held_up] == [
            ("github", 1),
            ("store-unreachable at s3", 1),
        ]
        assert [each.name for each in found.outages] == ["store-unreachable at s3"]
        assert [(each.name, each.by) for each in found.limits] == [("github", "status 429")]

    def test_failed_jobs_are_told_with_their_reasons_for_thirty_days(self, ledger: Ledger, clock: Clock) -> None:
        """The newest first."""
        for n in range(2):
            ledger.submit("harvest", Call("fetch", n), requester="ada")
            [claim] = self.take(ledger)
            self.tell(ledger, failed(claim, f"reason {n}"))
            clock.move(10 * 86400)
        ledger.submit("harvest", Call("fetch", "well"), requester="ada")
        self.tell(ledger, done(self.take(ledger)[0]))
        found = ledger.control.operations()
        assert [job.reason for job in found.failed] == ["fetch: reason 1", "fetch: reason 0"]
        assert found.jobs == ()
        assert found.jobs_by_state == {("harvest", "failed"): 2, ("harvest", "done"): 1}
        clock.move(15 * 86400)
        assert [job.reason for job in ledger.control.operations().failed] == ["fetch: reason 1"]
