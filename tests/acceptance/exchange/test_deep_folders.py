"""A tree deeper than Python calls itself goes in, comes out and is checked like any other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment import Archive as AnyArchive
from muniment.archive import Archive
from muniment.content import Entry, LogicalPath
from muniment.content.instance import Instance
from muniment.content.trees import files_below, make_folders, remove_folders, temporary_folder, walk_tree
from muniment.sources import SourceContext
from muniment.sources.listing.thredds import read_catalog
from muniment.sources.local import LocalSource
from muniment.stores.folder import FolderStore
from muniment.validation import validate_path
from muniment.workflows.export import export
from muniment.workflows.extract import take_out
from muniment.workflows.imports import import_package
from muniment.workflows.migrate import migrate
from tests.servers.native.running import serving

LEVELS = 1_100
PATH = "d/" * LEVELS + "file"
DATA = b"deep" * 1000


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders in each other, at the bottom a file and an empty folder; made level by level, for pytest too recurses."""
    with temporary_folder("deep-") as place:
        root = Path(place, "tree")
        root.mkdir()
        descriptor = os.open(root, os.O_RDONLY)
        for _ in range(LEVELS):
            os.mkdir("d", dir_fd=descriptor)
            inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        with os.fdopen(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor), "wb") as file:
            file.write(DATA)
        os.mkdir("empty", dir_fd=descriptor)
        os.close(descriptor)
        yield root


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that is removed without recursion."""
    with temporary_folder("deep-") as found:
        yield Path(found)


@pytest.fixture(scope="module")
def archive(tree: Path) -> Iterator[Archive]:
    """An archive with the tree as `r`, to be read."""
    with Archive.init(tree.with_name("archive"), workers=0, redundancy=0) as found:
        with found.new("r") as transaction:
            transaction.add(tree)
        yield found


def whole(instance: Instance) -> bool:
    folders = instance.record["folders"]
    return list(instance) == [PATH] and instance.read(PATH) == DATA and folders == [PATH.replace("file", "empty")]


def test_it_is_kept_checked_and_extracted(archive: Archive, place: Path) -> None:
    instance = archive.get("r")
    assert whole(instance)
    assert list(archive.audit()) == []
    take_out(instance, place / "out")
    assert list(files_below(place / "out")) == [str(place / "out" / PATH)]


def test_a_transaction_on_it_is_changed_left_replayed_and_rolled_back(place: Path, tree: Path) -> None:
    with Archive.init(place / "archive", workers=0, redundancy=0) as archive:
        left = archive.new("r")
        left.add(tree)
        left.leave()
        assert archive.recover() == []
        assert whole(archive.replay(left.transaction))
        transaction = archive.get("r", "a")
        transaction.delete("d")
        transaction.add(tree, "other")
        assert list(transaction) == [f"other/{PATH}"]
        transaction.rollback()
        assert list(archive.audit()) == []


@pytest.mark.parametrize("name", ["bag.tar", "instances.tar", "ocfl"])
def test_a_package_of_it_is_valid_and_imported(archive: Archive, place: Path, name: str) -> None:
    export(archive, "r", name.partition(".")[0], place / name)
    assert [finding for finding in validate_path(place / name) if finding.failed] == []
    with Archive.init(place / "other", workers=0, redundancy=0) as other:
        import_package(other, place / name)
        assert whole(other.get("r"))


def test_it_is_merged_into_another_archive(archive: Archive, place: Path) -> None:
    with Archive.init(place / "other", workers=0, redundancy=0) as other:
        migrate(archive, other, merge=True)
        assert whole(other.get("r"))


def test_it_travels_over_http_both_ways(place: Path, tree: Path) -> None:
    with serving(place / "served", init={"redundancy": 0}) as server, AnyArchive(server.url, key=server.key) as archive:
        with archive.new("r") as transaction:
            transaction.add(tree)
        assert whole(archive.get("r"))
        export(archive, "r", "bag", place / "bag")
        assert import_package(archive, place / "bag", id="again") == ["again"]
        assert whole(archive.get("again"))


def test_the_exit_kit_checks_and_extracts_it(archive: Archive, place: Path) -> None:
    kit = archive.path / "muniment_exit.py"
    for words in (["verify"], ["extract", str(place / "out"), "--id", "r"]):
        done = subprocess.run([sys.executable, "-I", kit, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert [os.path.basename(found) for found in files_below(place / "out")] == ["file"]


def test_the_local_source_lists_and_opens_it(tree: Path, place: Path) -> None:
    source = LocalSource({"path": str(tree)}, SourceContext(None, place))  # type: ignore[arg-type] # needs no session
    (page,) = source.pages()
    (entry,) = source.entries(page.items[0])
    assert isinstance(entry, Entry)
    assert entry.path == PATH
    with source.open(page.items[0], entry) as file:
        assert file.read() == DATA


def test_a_store_in_a_folder_keeps_and_lists_it(place: Path, tree: Path) -> None:
    store = FolderStore(place / "store")
    store.put(PATH, Entry(LogicalPath(PATH), len(DATA)), lambda: (tree / PATH).open("rb"))
    assert [each.key for each in store.list()] == [PATH]


def test_a_catalog_of_datasets_in_datasets_is_read() -> None:
    space = "http://www.unidata.ucar.edu/namespaces/thredds/InvCatalog/v1.0"
    service = '<service name="s" serviceType="HTTPServer" base="/files/"/>'
    inside = '<dataset name="file" urlPath="file" serviceName="s"/>'
    for _ in range(LEVELS):
        inside = f'<dataset name="d">{inside}</dataset>'
    catalog = f'<catalog xmlns="{space}">{service}{inside}</catalog>'
    lines = read_catalog("http://example.org/catalog.xml", catalog.encode())
    assert lines is not None
    assert [line.name.count("/") for line in lines] == [LEVELS - 1]


def test_a_walk_goes_down_or_up_in_order_and_follows_no_link(tmp_path: Path) -> None:
    make_folders(tmp_path / "a" / "b")
    make_folders(tmp_path / "a" / "b")
    (tmp_path / "a" / "file").touch()
    (tmp_path / "a" / "link").symlink_to(tmp_path)
    (tmp_path / "c").mkdir()
    root = str(tmp_path)
    down = [
        (root, ["a", "c"], []),
        (f"{root}/a", ["b"], ["file", "link"]),
        (f"{root}/a/b", [], []),
        (f"{root}/c", [], []),
    ]
    assert list(walk_tree(tmp_path)) == down
    assert [each[0] for each in walk_tree(tmp_path, deepest_first=True)] == [
        f"{root}/a/b",
        f"{root}/a",
        f"{root}/c",
        root,
    ]
    for place, folders, _ in walk_tree(tmp_path):
        assert place != f"{root}/a"
        folders[:] = [name for name in folders if name != "a"]
    remove_folders(tmp_path / "a")
    assert os.listdir(tmp_path) == ["c"]
    (tmp_path / "taken").touch()
    with pytest.raises(FileExistsError):
        make_folders(tmp_path / "taken")
