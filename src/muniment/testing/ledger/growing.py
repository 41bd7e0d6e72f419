"""The ledger's contract: children, continuations and joins."""

from __future__ import annotations

from muniment.jobs import Call, JobState, Ledger, State
from muniment.testing.ledger.fixtures import Clock, Fixtures, done, failed


class Growing(Fixtures):
    """Children, continuations and joins."""

    def test_a_continuation_waits_for_the_last_child(self, ledger: Ledger) -> None:
        """And then runs once."""
        job, files = self.fan(ledger, 3)
        self.tell(ledger, done(files[0], result=0), done(files[1], result=1))
        assert self.take(ledger) == []
        self.tell(ledger, done(files[2], result=2))
        [join] = self.take(ledger)
        assert join.name == "join"
        assert join.joins is not None
        assert [child.result for child in ledger.children(join.joins)] == [0, 1, 2]
        self.tell(ledger, done(join, result="all"))
        ended = ledger.job(job)
        assert (ended.state, ended.result, ended.steps, ended.steps_done) == (JobState.DONE, "all", 5, 5)

    def test_the_join_sees_failed_children_and_decides(self, ledger: Ledger) -> None:
        """So one bad file need not fail the job."""
        job, files = self.fan(ledger, 2)
        self.tell(ledger, done(files[0]), failed(files[1], "404"))
        [join] = self.take(ledger)
        assert join.joins is not None
        assert [(c.outcome, c.reason) for c in ledger.children(join.joins)] == [(State.DONE, ""), (State.FAILED, "404")]
        self.tell(ledger, done(join))
        ended = ledger.job(job)
        assert (ended.state, ended.steps_failed) == (JobState.DONE, 1)

    def test_without_a_join_a_failed_child_fails_the_job(self, ledger: Ledger) -> None:
        """With the child's reason; the others are done all the same."""
        job, files = self.fan(ledger, 2, then=False)
        self.tell(ledger, failed(files[0], "404"))
        assert not ledger.job(job).ended
        self.tell(ledger, done(files[1]))
        ended = ledger.job(job)
        assert (ended.state, ended.reason) == (JobState.FAILED, "file: 404")

    def test_a_failed_join_fails_the_job(self, ledger: Ledger) -> None:
        """Though every child went well."""
        job, files = self.fan(ledger, 1)
        self.tell(ledger, done(files[0]))
        self.tell(ledger, failed(self.take(ledger)[0]))
        assert ledger.job(job).state is JobState.FAILED

    def test_children_with_equal_content_are_one_unless_they_have_keys(self, ledger: Ledger) -> None:
        """Ids follow from content."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [root] = self.take(ledger)
        calls = [Call("file", 1), Call("file", 1), Call("file", 1, key="b"), Call("file", 2, key="b")]
        assert ledger.leases.spawn(root, calls) == 2
        assert ledger.leases.spawn(root, calls) == 0
        assert ledger.job(job.id).steps == 3

    def test_a_step_that_runs_twice_spawns_its_children_once(self, ledger: Ledger, clock: Clock) -> None:
        """Also when some of them have ended meanwhile."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [root] = self.take(ledger, 1, lease=10)
        ledger.leases.spawn(root, [Call("file", 1), Call("file", 2)])
        one, two = self.take(ledger, owner="two")
        self.tell(ledger, done(one), owner="two")
        clock.move(11)
        ledger.leases.pulse("two", {two.id: two}, {}, 60)
        ledger.leases.sweep("sweeper", 9999, 100)
        [root] = self.take(ledger)
        assert root.name == "fetch"
        self.tell(ledger, done(root, spawn=[Call("file", 1), Call("file", 2), Call("file", 3)], then=Call("join")))
        [three] = self.take(ledger)
        self.tell(ledger, done(two), owner="two")
        self.tell(ledger, done(three))
        [join] = self.take(ledger)
        self.tell(ledger, done(join))
        ended = ledger.job(job.id)
        assert (ended.state, ended.steps, ended.steps_done) == (JobState.DONE, 5, 5)

    def test_children_that_ended_before_their_parent_still_let_the_join_run(self, ledger: Ledger) -> None:
        """No wake-up is lost."""
        ledger.submit("harvest", Call("fetch"), requester="ada")
        [root] = self.take(ledger, 1)
        ledger.leases.spawn(root, [Call("file")])
        self.tell(ledger, done(self.take(ledger)[0]))
        assert self.take(ledger) == []
        self.tell(ledger, done(root, then=Call("join")))
        assert [claim.name for claim in self.take(ledger)] == ["join"]

    def test_a_continuation_without_children_is_ready_at_once(self, ledger: Ledger) -> None:
        """A chain of steps is a tree too; the last one's result is the job's."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        self.tell(ledger, done(self.take(ledger)[0], then=Call("join")))
        self.tell(ledger, done(self.take(ledger)[0], then=Call("after")))
        self.tell(ledger, done(self.take(ledger)[0], result="end"))
        assert ledger.job(job.id).result == "end"

    def test_a_join_waits_for_the_joins_below_it(self, ledger: Ledger) -> None:
        """Trees nest to any depth."""
        ledger.submit("harvest", Call("fetch"), requester="ada")
        self.tell(ledger, done(self.take(ledger)[0], spawn=[Call("fetch", "child")], then=Call("after")))
        self.tell(ledger, done(self.take(ledger)[0], spawn=[Call("file")], then=Call("join")))
        order = []
        for _ in range(3):
            [claim] = self.take(ledger)
            order.append(claim.name)
            self.tell(ledger, done(claim))
        assert order == ["file", "join", "after"]
        assert self.take(ledger) == []

    def test_outcomes_of_many_jobs_are_recorded_together(self, ledger: Ledger) -> None:
        """One stale one does not spoil the others."""
        jobs = [ledger.submit("harvest", Call("fetch", n), requester="ada").id for n in range(3)]
        claims = self.take(ledger)
        self.tell(ledger, done(claims[1]))
        assert len(self.tell(ledger, *(done(claim) for claim in claims))) == 1
        assert all(ledger.job(job).state is JobState.DONE for job in jobs)

    def test_more_steps_than_one_page(self, ledger: Ledger) -> None:
        """Listing and joining read on."""
        job, files = self.fan(ledger, 0)
        ledger.cancel(job)
        job, files = self.fan(ledger, 1203)
        while files:
            self.tell(ledger, *(done(claim) for claim in files))
            files = [claim for claim in self.take(ledger, 600) if claim.name == "file"]
        steps = list(ledger.steps(job))
        assert [step.given for step in steps if step.name == "file"] == [{"n": n} for n in range(1203)]
        assert len(list(ledger.children(steps[0].id))) == 1203
        assert {step.name: step.state for step in steps}["join"] is State.RUNNING
