"""The contract of the ledger, for whichever database is below it.

Subclass `LedgerContract` in a test module and give it a fixture `place` that is a new, empty database (a path or
an address). The steps are moved by hand and the clock stands still, so that every test says exactly what happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors.jobs import (
    BadSubmission,
    JobNotFound,
    KeyUsed,
    LeaseLost,
    NoKeyFile,
    SecretNotGiven,
    SecretUnreadable,
    StepNotFound,
)
from muniment.jobs import Call, Claim, JobState, Keyring, Ledger, Period, Priority, State
from muniment.jobs.leases import LOSSES
from muniment.jobs.model import Outcome

NAMES = ("fetch", "file", "join", "after")


class Clock:
    """A clock that moves when told to."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        """Begin at `at`, in seconds since 1970 UTC."""
        self.at = at

    def __call__(self) -> float:
        """The time it stands at."""
        return self.at

    def move(self, seconds: float) -> None:
        """Move on."""
        self.at += seconds


def done(claim: Claim, result: object = None, **more: object) -> Outcome:
    """The outcome of a step that ended well."""
    return Outcome(claim, State.DONE, result=result, **more)  # type: ignore[arg-type]  # tests give what they like


def failed(claim: Claim, reason: str = "it broke") -> Outcome:
    """The outcome of a step that failed for good."""
    return Outcome(claim, State.FAILED, reason=reason, counts="failures")


class Fixtures:
    """What every part of the contract stands on."""

    @pytest.fixture
    def clock(self) -> Clock:
        """A clock in the test's hands."""
        return Clock()

    @pytest.fixture
    def keyring(self, tmp_path: Path) -> Keyring:
        """A key file's keys."""
        return Keyring.create(tmp_path / "keys")

    @pytest.fixture
    def ledger(self, place: str | Path, clock: Clock, keyring: Keyring) -> Iterator[Ledger]:
        """An open, empty ledger."""
        with Ledger.open(place, clock=clock, keyring=keyring, migrate=True) as ledger:
            yield ledger

    @staticmethod
    def take(ledger: Ledger, count: int = 100, *, owner: str = "one", lease: float = 60.0) -> list[Claim]:
        """Claim what is ready."""
        return ledger.leases.exchange(owner, (), (count, count), NAMES, lease).claims

    def tell(self, ledger: Ledger, *outcomes: Outcome, owner: str = "one") -> list[Outcome]:
        """Record outcomes; those that were refused."""
        return ledger.leases.exchange(owner, outcomes).refused

    def fan(self, ledger: Ledger, count: int = 3, *, then: bool = True) -> tuple[str, list[Claim]]:
        """A job whose first step has spawned `count` files (and a join); its id and the claimed files."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [root] = self.take(ledger)
        calls = [Call("file", {"n": number}) for number in range(count)]
        self.tell(ledger, done(root, spawn=calls, then=Call("join") if then else None))
        return job.id, self.take(ledger)


class Asking(Fixtures):
    """Submitting, finding and cancelling."""

    def test_a_submitted_job_is_told_back_as_it_was_given(self, ledger: Ledger) -> None:
        """All that was asked is on record."""
        given = {"text": "a\x00b é \ud800", "n": [1, 2.5, None, True]}
        job = ledger.submit("harvest", Call("fetch", given), requester="ada", given=given, priority=Priority.PRIORITY)
        assert job.new
        again = ledger.job(job.id)
        assert (again.kind, again.requester, again.given, again.priority) == (
            "harvest",
            "ada",
            given,
            Priority.PRIORITY,
        )
        assert again.state is JobState.RUNNING
        assert (again.steps, again.created_at) == (1, 1_800_000_000.0)
        [step] = ledger.steps(job.id)
        assert (step.name, step.given, step.state) == ("fetch", given, State.READY)

    def test_the_same_key_and_content_is_the_same_job(self, ledger: Ledger) -> None:
        """A repeated request makes nothing new."""
        first = ledger.submit("harvest", Call("fetch", 1), requester="ada", key="k")
        second = ledger.submit("harvest", Call("fetch", 1), requester="ada", key="k")
        assert (second.id, second.new) == (first.id, False)
        assert len(self.take(ledger)) == 1

    def test_the_same_key_in_another_kind_is_another_job(self, ledger: Ledger) -> None:
        """Keys are a kind's own."""
        one = ledger.submit("harvest", Call("fetch"), requester="ada", key="k")
        two = ledger.submit("register", Call("fetch"), requester="ada", key="k")
        assert one.id != two.id
        found = ledger.find("register", "k")
        assert found is not None
        assert found.id == two.id
        assert ledger.find("audit", "k") is None

    def test_the_same_key_with_other_content_is_refused(self, ledger: Ledger) -> None:
        """Else the second requester would be told of the first one's job."""
        ledger.submit("harvest", Call("fetch", 1), requester="ada", key="k")
        with pytest.raises(KeyUsed):
            ledger.submit("harvest", Call("fetch", 2), requester="ada", key="k")

    def test_a_failed_job_gives_its_key_to_the_next_if_asked(self, ledger: Ledger) -> None:
        """Trying again after a failure is a job of its own; the old one stays on record."""
        old = ledger.submit("harvest", Call("fetch"), requester="ada", key="k")
        assert ledger.submit("harvest", Call("fetch"), requester="ada", key="k", after_failure=True).id == old.id
        self.tell(ledger, failed(*self.take(ledger)))
        assert not ledger.submit("harvest", Call("fetch"), requester="ada", key="k").new
        new = ledger.submit("harvest", Call("fetch"), requester="ada", key="k", after_failure=True)
        assert new.new
        assert new.id != old.id
        assert ledger.job(old.id).state is JobState.FAILED

    @pytest.mark.parametrize("bad", [float("nan"), b"bytes", {1, 2}])
    def test_what_is_not_json_is_refused(self, ledger: Ledger, bad: object) -> None:
        """And leaves nothing behind."""
        with pytest.raises(BadSubmission):
            ledger.submit("harvest", Call("fetch", bad), requester="ada")  # type: ignore[arg-type]  # the point
        assert ledger.jobs() == []

    @pytest.mark.parametrize("words", [{"kind": ""}, {"requester": "a\nb"}, {"key": "k" * 201}])
    def test_names_are_short_and_printable(self, ledger: Ledger, words: dict[str, str]) -> None:
        """They end up in logs and addresses."""
        with pytest.raises(BadSubmission):
            ledger.submit(words.get("kind", "harvest"), Call("fetch"), requester=words.get("requester", "ada"), key=words.get("key"))  # noqa: E501  # fmt: skip

    def test_unknown_ids_are_said_to_be_unknown(self, ledger: Ledger) -> None:
        """By their own errors."""
        with pytest.raises(JobNotFound):
            ledger.job("no")
        with pytest.raises(JobNotFound):
            ledger.cancel("no")
        with pytest.raises(JobNotFound):
            ledger.progress("no")
        with pytest.raises(StepNotFound):
            ledger.step("no")

    def test_jobs_are_listed_newest_first_in_pages(self, ledger: Ledger, clock: Clock) -> None:
        """With filters, and without losing those of the same instant."""
        for number in range(5):
            clock.move(number % 2)
            ledger.submit("harvest" if number else "audit", Call("fetch", number), requester="ada")
        first = ledger.jobs(limit=3)
        rest = ledger.jobs(limit=3, after=first[-1])
        assert [job.created_at for job in first + rest] == sorted(
            (job.created_at for job in first + rest), reverse=True
        )
        assert len({job.id for job in first + rest}) == 5
        assert [job.kind for job in ledger.jobs(kind="audit")] == ["audit"]
        assert ledger.jobs(state=JobState.DONE) == []

    def test_a_cancelled_job_begins_nothing_more(self, ledger: Ledger) -> None:
        """What is ready or waiting ends at once; what runs is heard out."""
        job, files = self.fan(ledger, 2)
        assert self.take(ledger) == []
        self.tell(ledger, done(files[0]))
        assert not ledger.cancel(job, by="ada").ended
        held = {files[1].id: files[1]}
        assert ledger.leases.pulse("one", held, {}).cancelled == {job}
        self.tell(ledger, Outcome(files[1], State.CANCELLED))
        ended = ledger.job(job)
        assert (ended.state, ended.steps_done, ended.steps_cancelled) == (JobState.CANCELLED, 2, 2)
        assert self.take(ledger) == []

    def test_what_ends_well_in_a_cancelled_job_grows_no_further(self, ledger: Ledger) -> None:
        """Its effect is recorded, its children are not made."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [root] = self.take(ledger)
        ledger.cancel(job.id)
        self.tell(ledger, done(root, spawn=[Call("file")], then=Call("join")))
        ended = ledger.job(job.id)
        assert (ended.state, ended.steps, ended.steps_done) == (JobState.CANCELLED, 1, 1)

    def test_a_job_of_ready_steps_is_cancelled_at_once(self, ledger: Ledger) -> None:
        """Nobody need be working. Cancelling again, or what has ended, changes nothing."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        assert ledger.cancel(job.id).state is JobState.CANCELLED
        lines = ledger.history(job.id)
        assert ledger.cancel(job.id).state is JobState.CANCELLED
        assert ledger.history(job.id) == lines

    def test_progress_tells_what_runs_and_how_many_bytes(self, ledger: Ledger) -> None:
        """Of ended and running steps together."""
        job, files = self.fan(ledger, 2)
        self.tell(ledger, done(files[0], progress=("fetching", 1, 1, 100)))
        held = {files[1].id: files[1]}
        ledger.leases.pulse("one", held, {files[1].id: ("fetching", 5, 9, 50)})
        progress = ledger.progress(job)
        assert (progress.job.steps, progress.job.steps_done, progress.size) == (4, 2, 150)
        [running] = progress.running
        assert (running.what, running.done, running.total, running.size) == ("fetching", 5, 9, 50)

    def test_watching_ends_with_the_job(self, ledger: Ledger) -> None:
        """And shows its end."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        self.tell(ledger, done(*self.take(ledger), result={"n": 1}))
        [last] = ledger.watch(job.id, every=0.01)
        assert (last.job.state, last.job.result) == (JobState.DONE, {"n": 1})


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

    def test_a_step_nobody_knows_fails_after_a_while(self, ledger: Ledger, clock: Clock) -> None:
        """With that as its reason; not while a live worker knows it."""
        job = ledger.submit("harvest", Call("mystery"), requester="ada")
        ledger.leases.announce("two", "local", ["mystery"], forget_after=1000)
        clock.move(101)
        assert ledger.leases.sweep(100, 200, NAMES) == 0
        clock.move(200)
        assert ledger.leases.sweep(100, 200, NAMES) == 1
        ended = ledger.job(job.id)
        assert ended.state is JobState.FAILED
        assert "no worker knows" in ended.reason

    def test_a_silent_worker_loses_its_step_to_another(self, ledger: Ledger, clock: Clock) -> None:
        """And what it says later is refused."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [old] = self.take(ledger, owner="one", lease=60)
        clock.move(59)
        assert ledger.leases.sweep(9999, 100) == 0
        clock.move(2)
        assert ledger.leases.sweep(9999, 100) == 1
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
        ledger.leases.sweep(9999, 100)
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
            assert ledger.leases.sweep(9999, 100) == 0
        assert self.tell(ledger, done(claim)) == []

    def test_a_step_that_kills_its_workers_fails(self, ledger: Ledger, clock: Clock) -> None:
        """After so many losses, with waits between them."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        taken = 0
        for _ in range(10_000):
            taken += len(self.take(ledger, lease=1))
            clock.move(10)
            ledger.leases.sweep(9999, 100)
            if ledger.job(job.id).ended:
                break
        assert taken == LOSSES
        ended = ledger.job(job.id)
        assert ended.state is JobState.FAILED
        assert f"{LOSSES} times" in ended.reason

    def test_a_call_may_set_its_own_number_of_losses(self, ledger: Ledger, clock: Clock) -> None:
        """For a step that is known to be dangerous."""
        job = ledger.submit("harvest", Call("fetch", losses=1), requester="ada")
        self.take(ledger, lease=1)
        clock.move(2)
        ledger.leases.sweep(9999, 100)
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

    def test_a_message_names_a_step_once(self, ledger: Ledger) -> None:
        """A doubled one finds it taken; one for an ended or unknown step finds nothing."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [step] = ledger.steps(job.id)
        assert ledger.leases.claim([step.id], "one", ["other"]) == []
        [claim] = ledger.leases.claim([step.id, "unknown"], "one", NAMES)
        assert ledger.leases.claim([step.id], "two", NAMES) == []
        self.tell(ledger, done(claim))
        assert ledger.leases.claim([step.id], "two", NAMES) == []

    def test_a_lost_message_is_sent_again(self, ledger: Ledger, clock: Clock) -> None:
        """When its time is over, or at once if it is known not to have gone."""
        ledger.submit("harvest", Call("fetch"), requester="ada")
        [(step, _)] = ledger.leases.unsent(10, 60)
        assert ledger.leases.unsent(10, 60) == []
        ledger.leases.unsend([step])
        assert ledger.leases.unsent(10, 60) == [(step, Priority.BULK.rank)]
        clock.move(60)
        assert len(ledger.leases.unsent(10, 60)) == 1
        ledger.leases.claim([step], "one", NAMES)
        clock.move(60)
        assert ledger.leases.unsent(10, 60) == []

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
        self.tell(ledger, failed(*self.take(ledger)))
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
        ledger.leases.sweep(9999, 100)
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
        self.tell(ledger, done(*self.take(ledger)))
        assert self.take(ledger) == []
        self.tell(ledger, done(root, then=Call("join")))
        assert [claim.name for claim in self.take(ledger)] == ["join"]

    def test_a_continuation_without_children_is_ready_at_once(self, ledger: Ledger) -> None:
        """A chain of steps is a tree too; the last one's result is the job's."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        self.tell(ledger, done(*self.take(ledger), then=Call("join")))
        self.tell(ledger, done(*self.take(ledger), then=Call("after")))
        self.tell(ledger, done(*self.take(ledger), result="end"))
        assert ledger.job(job.id).result == "end"

    def test_a_join_waits_for_the_joins_below_it(self, ledger: Ledger) -> None:
        """Trees nest to any depth."""
        ledger.submit("harvest", Call("fetch"), requester="ada")
        self.tell(ledger, done(*self.take(ledger), spawn=[Call("fetch", "child")], then=Call("after")))
        self.tell(ledger, done(*self.take(ledger), spawn=[Call("file")], then=Call("join")))
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


class Keeping(Fixtures):
    """Credentials and periods."""

    def test_credentials_are_shown_to_the_step_that_names_them(self, ledger: Ledger) -> None:
        """And to no other."""
        secrets = {"github": {"token": "ghp_verysecret"}, "s3": "key"}
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
            ledger.submit("x", Call("fetch", {"url": "https://tok3n@host/"}), requester="a", secrets={"t": "tok3n"})

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


class LedgerContract(Asking, Leasing, Growing, Keeping):
    """All of it. Subclass this and give it a fixture `place`."""
