"""An import that is killed leaves all or nothing, and can be run again; an export leaves nothing half."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from subprocess import Popen

import pytest

from muniment.archive import Archive
from muniment.workflows.export import export
from tests.acceptance.exchange.making import ID, new_archive, run
from tests.format.objects import load, make_object, save
from tests.timing import eventually

STRIDE = 3
"""Every third change to the disk; the nightly run takes each."""


def kill_everywhere(tmp_path: Path, package: Path, stride: int, resources: int, instances: int) -> None:
    """Import `package` again and again, each time killed later, and look at what is left."""
    new_archive(tmp_path / "template").close()
    (tmp_path / "work").mkdir()
    program = Path(__file__).with_name("killing.py")
    counts = map(str, (stride, resources, instances))
    done = run(sys.executable, program, tmp_path / "template", package, tmp_path / "work", *counts)
    assert (done.returncode, done.stderr) == (0, "")
    points, before, after = map(int, done.stdout.split())
    assert points > 50
    assert before > 0
    assert after > 0


@pytest.mark.parametrize("stride", [STRIDE, pytest.param(1, marks=pytest.mark.nightly)])
def test_an_import_killed_at_a_change_of_the_disk_is_whole_or_not_there(
    archive: Archive, tmp_path: Path, stride: int
) -> None:
    export(archive, ID, "instances", tmp_path / "package.tar")
    kill_everywhere(tmp_path, tmp_path / "package.tar", stride, resources=1, instances=3)


@pytest.mark.parametrize("stride", [2 * STRIDE, pytest.param(1, marks=pytest.mark.nightly)])
def test_of_a_storage_root_all_objects_are_there_or_none(tmp_path: Path, stride: int) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "0=ocfl_1.1").write_text("ocfl_1.1\n")
    for name in ("one", "two", "three"):
        made = make_object(root / name)
        for folder in (made / "v1", made / "v2", made):
            save(folder, {**load(folder), "id": f"urn:x-test:{name}"})
    kill_everywhere(tmp_path, root, stride, resources=3, instances=2)


@pytest.mark.parametrize("name", ["out", "out.tar"])
def test_an_export_killed_while_it_writes_is_not_there(archive: Archive, tmp_path: Path, name: str) -> None:
    with archive.get(ID, "a") as more:
        more.add((b"%d" % number * 1000 for number in range(60_000)), "large")
    target = tmp_path / "to" / name
    target.parent.mkdir()
    program = (
        "import sys; from muniment.archive import Archive; from muniment.workflows.export import export;"
        "export(Archive(sys.argv[1]), sys.argv[2], 'bag', sys.argv[3])"
    )
    process = Popen([sys.executable, "-c", program, os.fspath(archive.path), ID, os.fspath(target)])
    eventually(lambda: list(target.parent.iterdir()), every=0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    export(archive, ID, "bag", target)
    assert target.exists()


@pytest.mark.parametrize("name", ["out", "out.tar"])
def test_an_export_the_storage_refuses_leaves_nothing(archive: Archive, tmp_path: Path, name: str) -> None:
    with archive.get(ID, "a") as more:
        more.add(b"x" * 100_000, "large")
    target = tmp_path / "to" / name
    target.parent.mkdir()
    program = (
        "import resource, sys; from muniment.archive import Archive; from muniment.workflows.export import export;"
        "from muniment.errors.archive import WriteFailed; archive = Archive(sys.argv[1]);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try: export(archive, sys.argv[2], 'bag', sys.argv[3], project='org/things')\n"
        "except WriteFailed as error: print(type(error).__name__)"
    )
    done = run(sys.executable, "-c", program, archive.path, ID, target)
    assert (done.stdout, done.stderr) == ("WriteFailed\n", "")
    assert list(target.parent.iterdir()) == []
