from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from muniment.access import AccessStore, Authority, Identity
from muniment.database import schema
from muniment.errors.database import DatabaseBroken, DatabaseNewer, DatabaseUnavailable
from muniment.jobs import Call, Ledger
from tests.unit.access.making import bearer

READ = frozenset({"resources/read"})
ALICE = Identity.user("keys", "alice")


def test_ledger_and_rules_live_in_one_file(place: Path) -> None:
    with Ledger.open(place), AccessStore.open(place) as store, Ledger.open(place):
        made = store.keys.create("alice")
        assert Authority(store).identify(bearer(made.text), "").subject == "alice"
    with AccessStore.open(place) as store:
        assert [key.name for key in store.keys.all()] == ["alice"]


def test_a_busy_ledger_and_changing_rules_do_not_fight_over_the_file(place: Path) -> None:
    submitted: list[str] = []
    stop = threading.Event()

    def submit() -> None:
        with Ledger.open(place) as ledger:
            while not stop.is_set():
                submitted.append(ledger.submit("test", Call("it", len(submitted)), requester="ada").id)

    with AccessStore.open(place) as store:
        busy = [threading.Thread(target=submit) for _ in range(2)]
        for thread in busy:
            thread.start()
        try:
            authority = Authority(store, look_every=0)
            for number in range(30):
                made = store.keys.create(f"k{number}")
                assert authority.identify(bearer(made.text), "").subject == f"k{number}"
        finally:
            stop.set()
            for thread in busy:
                thread.join(60)
        assert len(store.keys.all()) == 30
    connection = sqlite3.connect(place)
    kept = {row[0] for row in connection.execute("SELECT id FROM jobs")}
    connection.close()
    assert kept == set(submitted) != set()


def test_a_book_of_a_later_muniment_is_left_alone(place: Path) -> None:
    AccessStore.open(place).close()
    connection = sqlite3.connect(place)
    connection.execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(DatabaseNewer) as refused:
        AccessStore.open(place)
    assert refused.value.details["found"] == "9999"


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_text("not a database, but long enough to look at\n" * 100)
    with pytest.raises(DatabaseBroken, match="not a database"):
        AccessStore.open(tmp_path / "control.db")
    with pytest.raises(DatabaseUnavailable):
        AccessStore.open(tmp_path)


def test_many_processes_may_make_the_book_at_once(place: Path) -> None:
    code = (
        "import sys\nfrom muniment.access import AccessStore\n"
        f"AccessStore.open({str(place)!r}).keys.create(sys.argv[1])\nprint('made')"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, f"k{number}"], stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["made\n"] * 4
    with AccessStore.open(place) as store:
        assert len(store.keys.all()) == 4


def test_a_process_that_dies_while_it_changes_rules_changes_nothing(place: Path, store: AccessStore) -> None:
    store.rules.append("/o", {ALICE: READ})
    code = (
        "import os\nfrom muniment.access import AccessStore, Identity\nfrom muniment.access import rules\n"
        f"store = AccessStore.open({str(place)!r})\n"
        "def work(connection):\n"
        "    rules.add(connection, '/', {Identity.user('keys', 'eve'): frozenset({'admin'})}, by='eve')\n"
        "    os._exit(9)\n"
        "store.change(work)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert [revision.address for revision in store.rules.all()] == ["/o"]
    store.rules.append("/", {ALICE: READ})
    assert store.rules.fetch("/").rev == 1


def test_opening_again_changes_nothing(place: Path) -> None:
    with AccessStore.open(place) as store:
        store.rules.append("/o", {ALICE: READ}, by="x")
        before = store.rules.fetch("/o"), store.version()
    with AccessStore.open(place) as store:
        assert (store.rules.fetch("/o"), store.version()) == before


def test_no_answer_is_given_from_an_old_picture_when_the_database_is_gone(store: AccessStore, place: Path) -> None:
    authority = Authority(store, look_every=0)
    made = store.keys.create("alice")
    authority.identify(bearer(made.text), "")
    store.close()
    for path in place.parent.iterdir():
        path.unlink()
    with pytest.raises(DatabaseUnavailable):
        authority.identify(bearer(made.text), "")
