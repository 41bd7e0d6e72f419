"""The ledger's contract: submitting, finding, cancelling and watching jobs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from muniment.errors.jobs import (
    BadSubmission,
    JobNotFound,
    KeyUsed,
    StepNotFound,
    SubjectTaken,
)
from muniment.jobs import Call, JobState, Json, Ledger, Priority, State
from muniment.jobs.model import Outcome
from muniment.testing.ledger.fixtures import Clock, Fixtures, done, failed


class Asking(Fixtures):
    """Submitting, finding and cancelling."""

    def test_a_submitted_job_is_told_back_as_it_was_given(self, ledger: Ledger) -> None:
        """All that was asked is on record."""
        given: Json = {"text": "a\x00b é \ud800", "n": [1, 2.5, None, True]}
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

    def test_of_many_that_submit_about_one_thing_at_once_one_may(self, ledger: Ledger) -> None:
        """All subjects of a job are taken in one transaction, or none is."""

        def submit(number: int) -> str:
            about = [f"own-{number}", "shared"] if number % 2 else ["shared", f"own-{number}"]
            try:
                return ledger.submit("osf", Call("fetch"), requester="ada", key=f"k{number}", subjects=about).id
            except SubjectTaken as error:
                return "" if error.details["subject"] == "shared" else str(error)

        with ThreadPoolExecutor(6) as pool:
            accepted = sorted(filter(None, pool.map(submit, range(6))))
        assert accepted == [job.id for job in ledger.jobs()]
        assert len(accepted) == 1
        # Those that were refused took nothing of their own either.
        for number in range(6):
            found = ledger.about("osf", f"own-{number}")
            assert found is None or found.id == accepted[0]

    def test_a_subject_is_free_again_when_its_job_has_ended(self, ledger: Ledger, clock: Clock) -> None:
        """And its newest job is found by it, whether that runs or not."""
        first = ledger.submit("osf", Call("fetch"), requester="ada", subjects=("a", "b"))
        ledger.submit("audit", Call("fetch"), requester="ada", subjects=("a",))  # of another kind
        with pytest.raises(SubjectTaken):
            ledger.submit("osf", Call("fetch"), requester="ada", subjects=("b",))
        ledger.cancel(first.id)
        clock.move(1)
        found = ledger.about("osf", "b")
        assert (found and found.id, found and found.state) == (first.id, JobState.CANCELLED)
        second = ledger.submit("osf", Call("fetch"), requester="ada", subjects=("b", "c"))
        found = ledger.about("osf", "b")
        assert found is not None
        assert found.id == second.id
        assert ledger.about("osf", "z") is None

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
        self.tell(ledger, failed(self.take(ledger)[0]))
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
        self.tell(ledger, done(self.take(ledger)[0], result={"n": 1}))
        [last] = ledger.watch(job.id, every=0.01)
        assert (last.job.state, last.job.result) == (JobState.DONE, {"n": 1})
