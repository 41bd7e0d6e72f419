"""What a request costs the ledger's database does not grow with what runs: counted in the database's own steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event

from muniment.jobs import Call, JobState, Ledger


class Steps:
    """Counts the instructions of SQLite's machine."""

    def __init__(self, ledger: Ledger) -> None:
        """Watch every connection that `ledger` opens from now on."""
        self.count = 0
        ledger.database.engine.dispose()
        event.listen(ledger.database.engine, "connect", self._watch)

    def _watch(self, connection: Any, _record: Any) -> None:
        connection.set_progress_handler(self._one, 1)

    def _one(self) -> int:
        self.count += 1
        return 0

    def of(self, work: Callable[[], object]) -> int:
        """How many `work` takes."""
        before = self.count
        work()
        return self.count - before


def test_submitting_and_status_cost_the_same_with_few_and_with_many_running(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "control.db") as ledger:
        number = 0

        def submit() -> str:
            nonlocal number
            number += 1
            ids = [f"c{number}", f"child-{number}"]
            call = Call("fetch", {"id": ids[0]})
            return ledger.submit("osf", call, requester="ada", given={"ids": list(ids)}, key=ids[0], subjects=ids).id

        def status() -> None:
            found = ledger.about("osf", "child-1")
            assert found is not None
            ledger.progress(found.id)

        for _ in range(5):
            submit()
        steps = Steps(ledger)
        few = steps.of(submit), steps.of(status)
        for _ in range(300):
            submit()
        many = steps.of(submit), steps.of(status)
        assert few[0] > 50  # it counts
        # Deeper trees of indexes cost a little; a look at every job would cost hundreds of times as much.
        assert many[0] < 2 * few[0]
        assert many[1] < 2 * few[1]


def test_a_list_of_what_runs_costs_the_same_whatever_has_ended(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "control.db") as ledger:
        number = 0

        def submit() -> str:
            nonlocal number
            number += 1
            return ledger.submit("osf", Call("fetch", {"id": number}), requester="ada").id

        def running(**filters: Any) -> list[str]:
            return [each.id for each in ledger.jobs(state=JobState.RUNNING, **filters)]

        oldest = submit()
        for _ in range(5):
            ledger.cancel(submit())
        steps = Steps(ledger)
        few = steps.of(running), steps.of(lambda: running(kind="osf"))
        for _ in range(300):
            ledger.cancel(submit())
        assert (running(), running(kind="osf")) == ([oldest], [oldest])
        assert few[0] > 10  # it counts
        assert steps.of(running) < 2 * few[0]
        assert steps.of(lambda: running(kind="osf")) < 2 * few[1]
