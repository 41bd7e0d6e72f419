"""Writing to the disk: what is synced and when, what a refusal leaves, and who holds a lock."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muniment.archive.disk import durable, locks
from muniment.errors.archive import DiskFull, WriteFailed
from tests.timing import PATIENCE


class Calls:
    """The calls that change or sync something, by name and by the name of what they are made on, as they happen."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made: list[str] = []
        self._patch = patch
        for name in ("fsync", "write", "close"):
            self._note(name, lambda descriptor: os.readlink(f"/proc/self/fd/{descriptor}"))
        for name in ("rename", "replace", "unlink", "mkdir", "rmdir"):
            self._note(name, os.fspath)

    def _note(self, name: str, place: Callable[..., str]) -> None:
        real = getattr(os, name)

        def noted(*given: object) -> object:
            self.made.append(f"{name} {os.path.basename(place(given[0]))}")
            return real(*given)

        self._patch.setattr(os, name, noted)

    def refuse(self, name: str, number: int) -> None:
        """Let every further call of this name fail."""

        def refused(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        self._patch.setattr(os, name, refused)

    def named(self, *names: str) -> list[str]:
        return [call for call in self.made if call.split(" ")[0] in names]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("sync", [True, False])
def test_a_new_file_is_on_stable_storage_when_that_was_asked(tmp_path: Path, calls: Calls, sync: bool) -> None:
    durable.write_file(tmp_path / "file", iter([b"one", b"", b"two"]), sync=sync)
    assert (tmp_path / "file").read_bytes() == b"onetwo"
    assert calls.named("fsync") == (["fsync file"] if sync else [])
    if sync:
        assert calls.made.index("fsync file") > max(at for at, call in enumerate(calls.made) if call == "write file")


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"first")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("file", "link"):
        with pytest.raises(WriteFailed):
            durable.write_file(tmp_path / name, b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, WriteFailed)]
)
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_refused_write_is_an_error_and_leaves_no_part_of_the_file(
    tmp_path: Path, calls: Calls, call: str, number: int, error: type[Exception]
) -> None:
    calls.refuse(call, number)
    before = open_files()
    with pytest.raises(error):
        durable.write_file(tmp_path / "file", b"content", sync=True)
    assert os.listdir(tmp_path) == []
    assert open_files() == before


def test_what_gives_the_bytes_may_fail_in_its_own_words(tmp_path: Path) -> None:
    def failing() -> Iterator[bytes]:
        yield b"some"
        raise KeyError

    with pytest.raises(KeyError):
        durable.write_file(tmp_path / "file", failing())
    assert os.listdir(tmp_path) == []


def test_every_byte_is_written_though_the_system_takes_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:1]))
    durable.write_file(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"


def test_folders_are_made_with_all_above_them_and_may_be_there(tmp_path: Path) -> None:
    for _ in range(2):
        durable.make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteFailed):
        durable.make_folder(tmp_path / "file" / "below")


def test_a_folder_is_synced_as_a_folder(tmp_path: Path, calls: Calls) -> None:
    before = open_files()
    durable.sync_folder(tmp_path)
    assert calls.named("fsync") == [f"fsync {tmp_path.name}"]
    assert open_files() == before
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteFailed):
        durable.sync_folder(tmp_path / "file")


def test_a_name_is_given_at_once_and_a_full_folder_is_said_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "old").mkdir()
    durable.rename(tmp_path / "new", tmp_path / "old")
    assert os.listdir(tmp_path) == ["old"]
    (tmp_path / "old" / "file").write_bytes(b"")
    (tmp_path / "new").mkdir()
    with pytest.raises(FileExistsError):
        durable.rename(tmp_path / "new", tmp_path / "old")
    with pytest.raises(WriteFailed):
        durable.rename(tmp_path / "absent", tmp_path / "other")
    assert sorted(os.listdir(tmp_path)) == ["new", "old"]


def test_a_replacement_is_synced_before_it_takes_the_name(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    durable.replace_file(tmp_path / "file", b"new", scratch=tmp_path / "scratch")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path / "scratch") == []
    written, synced, replaced = calls.named("write", "fsync", "replace")
    assert written.startswith("write new-")
    assert (synced, replaced) == (written.replace("write", "fsync"), written.replace("write", "replace"))


def test_a_refused_replacement_leaves_the_old_and_nothing_beside_it(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    calls.refuse("replace", errno.EIO)
    with pytest.raises(WriteFailed):
        durable.replace_file(tmp_path / "file", b"new", scratch=tmp_path / "scratch")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path / "scratch") == []


def test_a_tree_is_removed_and_what_links_in_it_lead_to_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_bytes(b"kept")
    tree = tmp_path / "tree"
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "deep" / "file").write_bytes(b"gone")
    (tree / "link").symlink_to(kept)
    (tree / "deep" / "link").symlink_to(kept / "file")
    durable.remove_tree(tree)
    durable.remove_tree(tree)  # it is gone already, and that is fine
    (tmp_path / "single").write_bytes(b"")
    durable.remove_tree(tmp_path / "single")
    assert os.listdir(tmp_path) == ["kept"]
    assert (kept / "file").read_bytes() == b"kept"


def test_a_tree_that_cannot_be_removed_is_an_error(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / "tree").mkdir()
    calls.refuse("rmdir", errno.EIO)
    with pytest.raises(WriteFailed):
        durable.remove_tree(tmp_path / "tree")


def test_where_the_system_cannot_sync_a_filesystem_every_file_and_folder_is_synced(
    tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_syncfs", None)
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    for name in ("one", "a/two", "a/b/three"):
        (root / name).write_bytes(b"x")
    before = open_files()
    durable.sync_tree(root)
    inside = {"fsync a", "fsync b", "fsync one", "fsync root", "fsync three", "fsync two"}
    assert sorted(calls.named("fsync")) == sorted({*inside, f"fsync {tmp_path.name}"}), "its own name is to last too"
    # The names in a folder count only once what they name is safe.
    assert calls.made.index("fsync three") < calls.made.index("fsync b") < calls.made.index("fsync a")
    assert open_files() == before


def test_one_sync_of_the_filesystem_serves_for_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def noted(descriptor: int) -> int:
        asked.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        return 0

    monkeypatch.setattr(durable, "_syncfs", noted)
    before = open_files()
    durable.sync_tree(tmp_path)
    since = os.open(tmp_path, os.O_RDONLY)
    durable.sync_tree(tmp_path / "its name does not matter then", since=since)
    os.close(since)  # it is the caller's still
    assert asked == [str(tmp_path)] * 2
    assert open_files() == before


@pytest.mark.parametrize(
    ("release", "found"),
    [
        ("6.1.0-18-amd64", True),
        ("5.8.0", True),
        ("5.8-rc1", True),
        ("5.7.19", False),
        ("4.19.0", False),
        ("odd", False),
    ],
)
def test_syncfs_is_used_from_the_kernel_on_that_reports_its_errors(
    monkeypatch: pytest.MonkeyPatch, release: str, found: bool
) -> None:
    monkeypatch.setattr("platform.release", lambda: release)
    assert (durable._find_syncfs() is not None) is found


def test_on_another_system_there_is_no_syncfs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert durable._find_syncfs() is None


def test_syncfs_tells_what_the_system_says(tmp_path: Path) -> None:
    syncfs = durable._find_syncfs()
    assert syncfs is not None
    assert syncfs(os.open(tmp_path, os.O_RDONLY)) == 0
    assert syncfs(10_000) == -1


HOLD = """
import sys, fcntl, os
from pathlib import Path
from muniment.archive.disk.locks import try_exclusive
print(try_exclusive(Path(sys.argv[1])) is not None, flush=True)
sys.stdin.readline()
"""


def held_by_another(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_a_lock_is_held_by_one_process_at_a_time_and_released_when_it_dies(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "one"
    before = open_files()
    with held_by_another(path) as process:
        assert locks.try_exclusive(path) is None
        process.kill()
    mine = locks.try_exclusive(path)
    assert mine is not None
    assert locks.try_exclusive(path) is None
    os.close(mine)
    assert open_files() == before


def test_who_waits_for_a_lock_gets_it_when_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    before = open_files()
    entered = threading.Event()

    def wait() -> None:
        with locks.exclusive(path):
            entered.set()

    with held_by_another(path) as process:
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not entered.wait(0.2)
        process.communicate("\n")
        assert entered.wait(PATIENCE)
        waiting.join()
    with locks.exclusive(path):
        assert locks.try_exclusive(path) is None
    mine = locks.try_exclusive(path)
    assert mine is not None
    os.close(mine)
    assert open_files() == before


def test_who_may_only_read_can_ask_for_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    path.write_bytes(b"")
    real = os.open

    def read_only(place: str, flags: int, *more: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return real(place, flags, *more)

    monkeypatch.setattr(os, "open", read_only)
    descriptor = locks.try_exclusive(path)
    assert descriptor is not None
    os.close(descriptor)
    with pytest.raises(WriteFailed):
        locks.try_exclusive(tmp_path / "none yet")


def test_a_further_name_is_the_same_file_and_never_replaces_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    durable.link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").samefile(tmp_path / "b")
    (tmp_path / "c").write_bytes(b"c")
    with pytest.raises(FileExistsError):
        durable.link(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == b"c"
    with pytest.raises(WriteFailed):
        durable.link(tmp_path, tmp_path / "folder")


def test_without_a_system_that_syncs_a_whole_filesystem_nothing_is_ahead_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_SYNCFS", None)
    done = []
    with durable.syncing_ahead(tmp_path):
        done.append("work")
    assert done == ["work"]


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    with locks.folder_alone(tmp_path) as first, locks.folder_alone(tmp_path) as second:
        assert (first, second) == (True, False)
    with locks.folder_alone(tmp_path) as again:
        assert again


def test_everybody_may_ask_for_a_lock_and_its_owner_alone_may_write_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with locks.exclusive(tmp_path / "deep" / "lock"):
            assert (tmp_path / "deep" / "lock").stat().st_mode & 0o777 == 0o644
        with locks.exclusive(tmp_path / "lock"):
            assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(old)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("there", [True, False])
def test_who_may_only_read_a_lock_can_still_ask_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, there: bool
) -> None:
    path = tmp_path / "lock"
    if there:
        path.write_bytes(b"")
    real = os.open

    def refusing(name: os.PathLike[str], flags: int, *mode: int) -> int:
        if flags & os.O_RDWR:
            raise OSError(number, os.strerror(number), os.fspath(name))
        return real(name, flags, *mode)

    monkeypatch.setattr(os, "open", refusing)
    if there and number != errno.EIO:
        with locks.exclusive(path):
            pass
    else:
        with pytest.raises(WriteFailed), locks.exclusive(path):
            pass


def test_what_was_opened_and_is_no_lock_is_closed_again(tmp_path: Path) -> None:
    (tmp_path / "held").mkdir()
    os.mkfifo(tmp_path / "held" / "lock")
    before = len(os.listdir("/proc/self/fd"))
    with locks.exclusive(tmp_path / "held" / "lock"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before
    assert (tmp_path / "held" / "lock").is_file()
