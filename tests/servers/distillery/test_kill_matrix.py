"""Killed at each durable point of a batch, and at each call of it: what is left is what would have been left, by night.

The point is struck at its first call, its second, and so on until a batch has fewer; so no call is left out, however
many there are. The parties are a folder as cloud, a tape, a IIIF site or an Islandora 2, and ArchivesSpace.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.doors.distillery.audit import audit
from muniment.doors.distillery.batches import Line
from muniment.doors.distillery.requests import run_collection
from muniment.doors.distillery.settings import AccessSettings, StoreSettings
from muniment.jobs import JobState
from muniment.testing.servers.archivesspace import ArchivesSpaceServer
from muniment.testing.servers.islandora2 import Islandora2Server
from muniment.testing.servers.ltfs import Cartridge, TapeDrive
from tests.servers.distillery.conftest import Scene, a_scene
from tests.servers.distillery.dying import POINTS
from tests.servers.distillery.test_resuming import KILLED, work

MOST = 400
"""Calls of a point in one batch: more would be another test's business."""
WITH_ISLANDORA = ("Islandora is asked", "a number is remembered")
"""What happens only where Islandora is the publisher; all other points are struck with a IIIF site."""


class Parties:
    """A batch of one folder with two scans, to a cloud, a tape and a publisher."""

    def __init__(self, scene: Scene, islandora: Islandora2Server | None) -> None:
        self.scene, self.islandora = scene, islandora
        self.tape = scene.folder / "tape"
        self.mount = scene.folder / "mnt"
        (scene.folder / "site").mkdir()
        access = (
            AccessSettings("islandora2", url=islandora.url)
            if islandora
            else AccessSettings("iiif", scene.folder / "site", "https://iiif.example.org")
        )
        scene.change(access=access, onsite=StoreSettings(f"ltfs://{self.mount}"), done=scene.folder / "done")
        scene.describe("HBF_001_05")
        scene.scans("HBF_1_05", "01", "02")
        self.batch = run_collection(scene.context, "HBF", ["cloud", "onsite", "access"], requester="t").id

    def work(self, point: str = "", call: int = 0) -> int:
        """Do the batch in a process of its own; its exit status."""
        more: dict[str, Any] = {"tape": f"ltfs://{self.mount}", "done": True}
        if self.islandora:
            more["islandora"] = self.islandora.url
        return work(self.scene, self.batch, point, call, after=True, **more)

    def left(self) -> Any:
        """What the batch left everywhere, without times and this test's own places."""
        folder = self.scene.folder
        found = self.scene.state()
        for name in ("scans", "done", "scratch"):
            found[name] = digests(folder / name)
        found["tape"] = {
            path: digest for path, digest in digests(self.tape / "data").items() if not path.startswith("MUNIMENT")
        }
        found["lists"] = [listed(self.tape / "data/MUNIMENT"), listed(folder / "tapes")]
        found["copies"] = [
            (each.destination, each.key, each.sha256, each.place, each.uri)
            for id in ("HBF", "HBF_001_05")
            for each in self.scene.context.batches.copies(id)
        ]
        # The log is a history: what was done before a death is not said to be done after it. Its results are the same.
        found["log"] = sorted({f"{each.folder} {each.kind} {each.text}" for each in self.log() if is_result(each)})
        text = json.dumps(found).replace(str(folder), "/scene")
        if self.islandora:
            found = json.loads(text.replace(self.islandora.url, "https://islandora.example.org"))
            found["islandora"] = shown(self.islandora)
            return found
        return json.loads(text)

    def log(self) -> list[Line]:
        """The batch's log."""
        return list(self.scene.context.batches.log(self.batch))


@contextlib.contextmanager
def parties(folder: Path, *, islandora: bool) -> Iterator[Parties]:
    """Everything fresh."""
    folder.mkdir()
    with contextlib.ExitStack() as held:
        server = held.enter_context(ArchivesSpaceServer())
        scene = held.enter_context(a_scene(folder, server))
        drupal = held.enter_context(Islandora2Server()) if islandora else None
        made = Parties(scene, drupal)
        drive = held.enter_context(TapeDrive(made.mount))
        tape = Cartridge(made.tape, "AB0001")
        tape.label()
        drive.insert(tape)
        yield made


def is_result(line: Line) -> bool:
    """Whether a line tells how something is, and not what a process did."""
    return line.kind != "info" or any(word in line.text for word in ("verified", "recorded", "is seen at", "is done"))


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of each file below a folder."""
    files = (each for each in sorted(folder.rglob("*")) if each.is_file())
    return {str(each.relative_to(folder)): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


def listed(folder: Path) -> list[list[Any]]:
    """What the lists of tapes in a folder say, without times: a line that is there twice says it once."""
    lines = [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    return [
        list(each) for each in sorted({(line["key"], line["tape"], line["size"], line["sha256"]) for line in lines})
    ]


def shown(server: Islandora2Server) -> list[list[Any]]:
    """What Islandora shows: each node with its place, and the digests of its media by their use."""
    rows = []
    for number, node in server.nodes.items():
        uses = {use: hashlib.sha256(data).hexdigest() for use, data in server.uses(number).items()}
        count = sum(each["field_media_of"][0]["target_id"] == number for each in server.media.values())
        rows.append([number, node, sorted(uses.items()), count])
    return json.loads(json.dumps(rows))  # type: ignore[no-any-return]


@pytest.mark.nightly
@pytest.mark.parametrize("point", POINTS)
def test_a_batch_killed_after_any_call_leaves_what_an_uninterrupted_one_leaves(point: str, tmp_path: Path) -> None:
    islandora = point in WITH_ISLANDORA
    with parties(tmp_path / "whole", islandora=islandora) as whole:
        assert whole.work() == 0
        assert whole.scene.ledger.job(whole.batch).state is JobState.DONE, whole.log()
        expected = whole.left()
    assert expected["scans"] == {}
    assert expected["lists"][0] == expected["lists"][1] != []
    for call in range(1, MOST):
        with parties(tmp_path / str(call), islandora=islandora) as struck:
            if struck.work(point, call) != KILLED:
                assert call > 1, "the point is never reached"
                return
            assert struck.work() == 0
            assert struck.scene.ledger.job(struck.batch).state is JobState.DONE, (call, struck.log())
            assert struck.left() == expected, call
            assert islandora or list(audit(struck.scene.context, struck.batch)) == [], call
            assert struck.scene.server.dropped == []
    raise AssertionError(f"more than {MOST} calls")
