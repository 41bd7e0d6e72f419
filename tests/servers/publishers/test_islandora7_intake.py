"""Cut off from Islandora 7 at any of the calls a book needs: what it has afterwards is what it would have had.

Commands run here instead of by ssh, each quoted as ssh's far side would read it, so that each call can be the one whose
answer is lost, or that is never made, or in which the machine's power goes. Drush is our stand-in.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from muniment.errors.distillery import PublisherUnreachable, PublishingFailed
from muniment.imaging import ImageProcess
from muniment.imaging.text import no_text
from muniment.publishers.islandora7 import Islandora7, Islandora7Site
from muniment.publishers.islandora7.ssh import CommandResult, SshMachine
from muniment.publishers.protocol import Publication, PublishedAt
from muniment.testing.servers import drush
from tests.servers.publishers.test_islandora2 import Memory
from tests.servers.publishers.test_islandora7 import book

KILLED = 137


class FadingMachine(SshMachine):
    """This machine, to which the line breaks at a call: before it is made, or before its answer is heard."""

    def __init__(self, folder: Path) -> None:
        super().__init__("keeper@islandora.example.org", 22)
        self.folder = folder
        self.calls: list[str] = []
        self.breaks_at = 0
        self.hears = True

    def run(self, words: Sequence[str], *, seconds: float = 3600.0) -> CommandResult:
        """Do it here."""

        def there() -> CommandResult:
            done = subprocess.run(
                ["sh", "-c", shlex.join(words)], check=False, capture_output=True, text=True, timeout=seconds,
                env=os.environ | {"TMPDIR": str(self.folder)}, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            return CommandResult(done.returncode, done.stdout, done.stderr)

        return self._called(shlex.join(words), there)

    def send(self, folder: Path, there: str, *, seconds: float = 86400.0) -> None:
        """Copy it here."""
        del seconds

        def copied() -> CommandResult:
            shutil.copytree(folder, there, dirs_exist_ok=True)
            return CommandResult(0, "", "")

        self._called("send", copied)

    def _called(self, what: str, there: Callable[[], CommandResult]) -> CommandResult:
        self.calls.append(what)
        broken = len(self.calls) == self.breaks_at
        if broken and not self.hears:
            raise PublisherUnreachable(id=self.target, reason="the line is broken")
        ran = there()
        if broken or ran.status == KILLED:
            raise PublisherUnreachable(id=self.target, reason="the line is broken")
        return ran


class KeptImages(ImageProcess):
    """One process for all books of these tests."""

    def __exit__(self, *_: object) -> None:
        """Leave it."""


@pytest.fixture(scope="module")
def images() -> Iterator[ImageProcess]:
    kept = KeptImages()
    yield kept
    kept.close()


@pytest.fixture
def rig(tmp_path: Path, images: ImageProcess) -> Callable[[str], Rig]:
    return lambda name: Rig(tmp_path / name, images)


class Rig:
    """An Islandora 7 on this machine."""

    def __init__(self, folder: Path, images: ImageProcess) -> None:
        (folder / "there").mkdir(parents=True)
        self.folder = folder
        self.machine = FadingMachine(folder / "there")
        site = Islandora7Site(str(folder), "https://islandora.example.org", "arch", str(drush.install(folder)))
        self.publisher = Islandora7(
            self.machine, site, lambda: images, no_text, lambda: folder / "scratch", Memory(), pause=lambda _: None
        )

    def show(self, given: Publication) -> PublishedAt:
        """As a batch does."""
        self.publisher.prepare(given)
        return self.publisher.publish(given)

    @property
    def state(self) -> dict[str, Any]:
        """What the stand-in has."""
        found: dict[str, Any] = json.loads((self.folder / "drush.json").read_text())
        return found

    def change(self, **values: Any) -> None:
        """Change how it behaves."""
        (self.folder / "drush.json").write_text(json.dumps(self.state | values))

    def left(self) -> list[Any]:
        """What is there afterwards."""
        state = self.state
        return [state["books"], state["collections"], state["sets"], list((self.folder / "there").iterdir())]

    def prepared(self) -> int:
        """How many sets were prepared in all."""
        return sum(any(word.endswith("_preprocess") for word in call) for call in self.state["calls"])


def strike(made: Rig, given: Publication, at: int, *, hears: bool) -> bool:
    """Break the line at a call and try again; whether there are so many calls."""
    made.machine.breaks_at, made.machine.hears = at, hears
    try:
        made.show(given)
    except PublisherUnreachable:
        made.machine.breaks_at = 0
        made.show(given)
        return True
    return False


def test_a_lost_answer_of_a_command_that_changes_something_changes_nothing(
    tmp_path: Path, rig: Callable[[str], Rig]
) -> None:
    given = book(tmp_path, width=40, height=60)
    whole = rig("whole")
    whole.show(given)
    told = [at for at, call in enumerate(whole.machine.calls, 1) if "_preprocess" in call or "_ingest" in call]
    assert len(told) == 4
    for at in told:
        struck = rig(str(at))
        assert strike(struck, given, at, hears=True)
        assert struck.left() == whole.left(), whole.machine.calls[at - 1]
        assert struck.prepared() == 2


@pytest.mark.nightly
@pytest.mark.parametrize("hears", [True, False], ids=["answer lost", "call lost"])
def test_cut_off_at_any_call_islandora_has_what_it_would_have_had(
    tmp_path: Path, rig: Callable[[str], Rig], hears: bool
) -> None:
    given = book(tmp_path, width=40, height=60)
    whole = rig("whole")
    whole.show(given)
    assert whole.left() == [{"HBF:HBF_001_05": whole.state["books"]["HBF:HBF_001_05"]}, ["arch:HBF"], {}, []]
    for at in itertools.count(1):
        struck = rig(str(at))
        if not strike(struck, given, at, hears=hears):
            assert at > len(whole.machine.calls) > 10
            return
        told = (at, whole.machine.calls[at - 1])
        assert struck.left() == whole.left(), told
        assert struck.prepared() == 2, told


@pytest.mark.parametrize("where", ["prepared", "thing", "page"])
def test_a_power_cut_there_leaves_no_set_and_half_a_book_is_completed(
    tmp_path: Path, rig: Callable[[str], Rig], where: str
) -> None:
    given = book(tmp_path, width=40, height=60)
    whole = rig("whole")
    whole.show(given)
    struck = rig("struck")
    struck.publisher.prepare(given)
    struck.change(dies=where)
    with pytest.raises(PublisherUnreachable):
        struck.publisher.publish(given)
    struck.publisher.publish(given)
    assert struck.left() == whole.left()


def test_what_still_runs_there_is_waited_for(tmp_path: Path, rig: Callable[[str], Rig]) -> None:
    given = book(tmp_path, width=40, height=60)
    made = rig("site")
    made.publisher.prepare(given)
    made.machine.breaks_at = len(made.machine.calls) + 7
    with pytest.raises(PublisherUnreachable, match="the line is broken"):
        made.publisher.publish(given)
    (folder,) = (made.folder / "there").iterdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = made.state
        with pytest.raises(PublisherUnreachable, match="is still being done"):
            made.publisher.publish(given)
        assert made.state == before
    made.publisher.publish(given)
    assert made.left()[2:] == [{}, []]


def test_what_was_prepared_of_a_scan_that_is_new_since_is_removed(tmp_path: Path, rig: Callable[[str], Rig]) -> None:
    given = book(tmp_path, width=40, height=60)
    made = rig("site")
    made.publisher.prepare(given)
    made.machine.breaks_at = len(made.machine.calls) + 6
    with pytest.raises(PublisherUnreachable):
        made.publisher.publish(given)
    assert len(made.state["sets"]) == 1
    fresh = replace(given, pages=[replace(each, sha256="0" * 64) for each in given.pages])
    made.publisher.publish(fresh)
    assert made.left()[2:] == [{}, []]
    assert made.prepared() == 3


def test_a_set_that_cannot_be_removed_is_named_and_nothing_is_prepared(
    tmp_path: Path, rig: Callable[[str], Rig]
) -> None:
    given = book(tmp_path, width=40, height=60)
    made = rig("site")
    made.publisher.prepare(given)
    made.change(dies="prepared")
    with pytest.raises(PublisherUnreachable):
        made.publisher.publish(given)
    command = made.folder / "drush"
    plain = command.read_text()
    command.write_text(plain.replace("exec", 'case "$*" in *php-eval*) exit 1;; esac; exec'))
    with pytest.raises(PublishingFailed, match=r"muniment-.*cannot be removed.*Remove both there"):
        made.publisher.publish(given)
    assert made.prepared() == 2
    command.write_text(plain)
    made.publisher.publish(given)
    assert made.left()[2:] == [{}, []]
