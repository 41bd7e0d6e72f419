"""The tree of files in which the stand-in bucket of the tests keeps its keys."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment.testing.key_tree import KeyTree

WORK = """
import sys
from pathlib import Path
from muniment.testing.key_tree import KeyTree
tree, name, won = KeyTree(Path(sys.argv[1])), sys.argv[2], 0
for turn in range(200):
    key = f"a/b/{turn % 3}/c"
    try:
        tree.put_once(tree.fresh(name.encode()), key)
    except FileExistsError:
        continue
    won += 1
    assert Path(tree.place(key)).read_text() == name
    tree.remove(key)
print(won)
"""


def put(tree: KeyTree, *keys: str) -> None:
    for key in keys:
        tree.put(tree.fresh(key.encode()), key)


def test_a_folder_whose_last_key_is_removed_is_made_again_by_whoever_puts_one_in_whichever_process(
    tmp_path: Path,
) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path), f"{number}"], stdout=subprocess.PIPE)
        for number in range(2)
    ]
    tree = KeyTree(tmp_path)
    while any(each.poll() is None for each in running):
        assert set(tree.within("a/")) <= {f"a/b/{turn}/c" for turn in range(3)}, "at any moment"
    won = [int(each.communicate()[0]) for each in running]
    assert [each.returncode for each in running] == [0, 0]
    assert all(won)
    assert list(tree.within()) == []
    assert os.listdir(tmp_path / "keys") == []


def test_of_threads_that_put_one_key_while_its_folder_comes_and_goes_one_is_first(tmp_path: Path) -> None:
    tree = KeyTree(tmp_path)

    def first(key: str) -> bool:
        with contextlib.suppress(FileExistsError):
            tree.put_once(tree.fresh(b"x"), key)
            return True
        return False

    def come_and_go(turn: int) -> None:
        put(tree, f"a/b/{turn}")
        tree.remove(f"a/b/{turn}")

    with ThreadPoolExecutor(4) as pool:
        for turn in range(20):
            others = [pool.submit(come_and_go, turn) for _ in range(4)]
            told = list(pool.map(first, [f"a/b/c{turn}"] * 4))
            for each in others:
                each.result()
            assert sum(told) == 1
            tree.remove(f"a/b/c{turn}")


def test_a_listing_opens_only_the_folders_it_gives_something_back_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, opened = KeyTree(tmp_path), []
    put(
        tree, *(f"objects/{number}/v{version}/file" for number in range(50) for version in (1, 2)), "events/1", "intake"
    )

    def listed(folder: str) -> list[str]:
        opened.append(folder)
        return found(folder)

    found = os.listdir
    monkeypatch.setattr(os, "listdir", listed)
    assert list(tree.within("objects/7/v2")) == ["objects/7/v2/file"]
    assert len(opened) == 2
    assert list(tree.within("objects/", "objects/8/v1/file"))[:2] == ["objects/8/v2/file", "objects/9/v1/file"]
    assert len(opened) == 2 + 1 + 3 + 3
    assert tree.folders("objects/7/") == ["v1", "v2"]
    assert list(tree.within("nothing/")) == []
