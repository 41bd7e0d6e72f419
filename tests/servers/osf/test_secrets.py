"""Credentials of a submission: sealed in the ledger, shown to one step, written nowhere, erased at the end."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from typing import Self
from urllib.parse import quote

import pytest

from muniment.errors.registration import ContainerField
from muniment.jobs import JobState
from muniment.testing.servers.gitserver import GitServer
from muniment.testing.servers.web import WebServer
from tests.servers.osf.house import House, Sink, container, http

WORD = "S3cr3t+Word/that=nobody%sees"
FORMS = [
    WORD,
    quote(WORD, safe=""),
    base64.b64encode(WORD.encode()).decode(),
    base64.b64encode(f"reader:{WORD}".encode()).decode(),
]


class Watcher:
    """Looks at the command lines and environments of this machine's processes while something runs."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.looks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)

    def _look(self) -> None:
        while not self._stop.is_set():
            self.looks += 1
            for place in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    text = place.read_bytes().decode(errors="replace")
                except OSError:
                    continue
                self.seen.update(form for form in FORMS if form in text)


def holders(folder: Path) -> list[str]:
    """Every file below that holds the credential in any form."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            found += [f"{path}: {form}" for form in FORMS if form.encode() in data]
    return found


@pytest.mark.parametrize("right", [True, False], ids=["that is right", "that is wrong"])
def test_a_credential_is_nowhere_while_it_is_used_and_after(
    right: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    password = WORD if right else "another-word"
    folder = tmp_path / "house"
    git = GitServer(tmp_path / "git", password=password)
    with WebServer(style="json", password=password) as site, git, Sink() as sink, Watcher() as watcher:
        repository = git.repository("paper")
        repository.commit(repository.folder_of({"README.md": b"hello"}))
        site.files = {"d/a": b"1", "d/b": b"2" * 200_000}
        services = [
            http(site, "d/", username="reader", password=WORD),
            {"git": {"url": f"{git.url}/paper.git", "username": "reader", "password": WORD}},
        ]
        with House(folder, work=False, callback_addresses=sink.url) as asking:
            job = asking.submit(container("closed", services)).job
            assert holders(folder) == []
        with House(folder, callback_addresses=sink.url) as house:
            ended = house.wait(job)
            assert ended.state is (JobState.DONE if right else JobState.FAILED), ended.reason
            assert sink.of("closed")
            said = str(house.foreman.status("closed")) + str(sink.payloads()) + ended.reason
            assert not any(form in said for form in FORMS)
            from sqlalchemy import text

            with house.ledger.database.engine.connect() as connection:
                assert connection.execute(text("SELECT count(*) FROM secrets")).scalar() == 0
    assert watcher.looks > 10
    assert watcher.seen == set()
    assert holders(folder) == []
    written = caplog.text + "".join(capfd.readouterr())
    assert not any(form in written for form in FORMS)
    scratch = folder / "scratch"
    assert [path for path in scratch.rglob("*") if path.is_file()] == []


def test_a_credential_that_stands_in_an_open_field_is_refused(tmp_path: Path) -> None:
    with House(tmp_path, work=False) as house:
        body = container("x", [{"http": {"url": f"http://127.0.0.1/{WORD}", "password": WORD}}])
        with pytest.raises(ContainerField, match="credential") as refused:
            house.submit(body)
        assert refused.value.details["field"] == "container.services[0].http.url"
        assert holders(tmp_path) == []


def test_a_password_that_is_part_of_a_files_name_fails_nothing(tmp_path: Path) -> None:
    with WebServer(style="json", password="data") as site, House(tmp_path) as house:
        site.files = {"data/data.csv": b"1", "data/gone.csv": b"2"}
        site.fail(r"gone\.csv$", status=403, times=99)
        done = house.finish(container("x", [http(site, "data/", username="reader", password="data")]))
        assert done.state is JobState.DONE, done.reason
        assert house.document("Manifests/x.failures.manifest.json")[0]["file"] == "gone.csv"
        assert house.archive.get("x", project="osf/registrations").read("http/data/data.csv") == b"1"
