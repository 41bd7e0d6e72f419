"""A stand-in for drush with Islandora 7's batch commands: `python drush.py STATE.json COMMAND…`.

It is written from what is published of these commands, and is not Islandora: it reads the tree as they are said to,
prints its numbers where they print them, and remembers every call. It knows only what the Distillery asks for.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

_BOOK_FILES = {"MODS.xml", "TN.jpg"}
_ORDERS = {"number": 16, "fail_after": -1, "index_lags": 0, "dies": ""}
"""How it is to behave: the last set's number, the page that fails, whether the index lags, where its power is cut."""
_PAGE_FILES = {"OBJ.jp2", "JP2.jp2", "JPG.jpg", "TN.jpg", "MODS.xml", "OCR.txt", "HOCR.html"}


def install(folder: Path) -> Path:
    """A command `drush` in a folder, with its state beside it; the command."""
    state = folder / "drush.json"
    state.write_text(json.dumps({"calls": [], "sets": {}, "books": {}, "collections": [], **_ORDERS}), "utf-8")
    command = folder / "drush"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__)}" "{state}" "$@"\n', "utf-8")
    command.chmod(0o755)
    return command


def main(place: Path, words: list[str]) -> int:
    """Do one command; several at a time do theirs one after the other."""
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state: dict[str, Any] = json.loads(place.read_text("utf-8"))
        state["calls"].append(words)
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
        options["home"] = str(place.parent)
        at = next(number for number, word in enumerate(words) if not word.startswith("--"))
        options["code"] = "".join(words[at + 1 : at + 2])
        try:
            return _COMMANDS[words[at]](state, options)
        except _PowerCut:
            _write(place, state)
            for process in (os.getppid(), os.getpid()):
                os.kill(process, signal.SIGKILL)
            raise
        finally:
            _write(place, state)


def _write(place: Path, state: dict[str, Any]) -> None:
    fresh = place.with_suffix(".new")
    fresh.write_text(json.dumps(state), "utf-8")
    fresh.replace(place)


class _PowerCut(BaseException):
    """The machine's power is gone: nothing more is said."""


def _struck(state: dict[str, Any], where: str) -> None:
    if state["dies"] == where:
        state["dies"] = ""
        raise _PowerCut


def _fetch(state: dict[str, Any], options: dict[str, str]) -> int:
    query = re.sub(r"\\(.)", r"\1", options["solr_query"])
    found: list[str] = []
    if match := re.fullmatch(r"dc\.identifier:(.+) AND dc\.type:Collection", query):
        found = [each for each in state["collections"] if each == match[1]]
    elif match := re.fullmatch(r"PID:(.+)", query):
        found = [each for each in state["books"] if each == match[1]]
    elif match := re.fullmatch(r'RELS_EXT_isMemberOf_uri_ms:"info:fedora/(.+)"', query):
        found = state["books"].get(match[1], [])
    if not found or state["index_lags"]:
        sys.stderr.write("Sorry, no PIDS were found.   [error]\n")
        return 1
    if "pid_file" in options:
        Path(options["pid_file"]).write_text("".join(f"{each}\n" for each in found), "utf-8")
        return 0
    sys.stdout.write("".join(f"{each}\n" for each in found))
    return 0


def _set(state: dict[str, Any], kind: str, target: str) -> str:
    state["number"] += 1
    number = str(state["number"])
    state["sets"][number] = {"kind": kind, "target": target, "done": [], "failed": []}
    _struck(state, "prepared")
    return number


def _collections(state: dict[str, Any], options: dict[str, str]) -> int:
    number = _set(state, "collections", options["scan_target"])
    sys.stderr.write(f"SetId: {number}                                   [ok]\n")
    return 0


def _books(state: dict[str, Any], options: dict[str, str]) -> int:
    if options.get("type") not in {"directory", "zip"}:
        sys.stderr.write("Required option --type is missing   [error]\n")
        return 1
    if options["parent"] not in state["collections"]:
        sys.stderr.write("The parent does not exist   [error]\n")
        return 1
    number = _set(state, "books", options["scan_target"])
    sys.stdout.write(f"{number}\n")
    return 0


def _ingest(state: dict[str, Any], options: dict[str, str]) -> int:
    given = state["sets"].get(options["ingest_set"], {"kind": "", "done": [], "failed": []})
    things = _things(given)
    # What was done, and what failed, is not tried again; what nobody got to is.
    for pid, folder, book in things:
        if pid in given["done"] or pid in given["failed"]:
            continue
        if not _is_whole(given["kind"], folder):
            return 1
        if book and len(state["books"][book]) == state["fail_after"]:
            state["fail_after"] = -1
            given["failed"].append(pid)
            sys.stderr.write("Failed to ingest object   [error]\n")
            break  # as the real one: it says so and ends well
        if given["kind"] == "collections":
            state["collections"].append(pid)
        elif book:
            state["books"][book].append(pid)
            kept = Path(options["home"], "drush-images", pid)
            kept.parent.mkdir(exist_ok=True)
            shutil.copyfile(folder / "OBJ.jp2", kept)
        else:
            state["books"][pid] = []
        given["done"].append(pid)
        _say(pid)
        _struck(state, "page" if book else "thing")
    if len(given["done"]) == len(things) > 0:
        del state["sets"][options["ingest_set"]]
    sys.stderr.write("Processing complete; review the queue for some additional information.   [status]\n")
    return 0


def _things(given: dict[str, Any]) -> list[tuple[str, Path, str]]:
    """What a set is made of: the PID and the folder of each thing, and of a page its book's PID."""
    found = []
    for folder in sorted(Path(given["target"]).iterdir()) if given["kind"] else []:
        pid = folder.name.replace("+", ":", 1)
        found.append((pid, folder, ""))
        if given["kind"] == "books":
            found += [(f"{pid}-{each.name}", each, pid) for each in sorted(folder.iterdir()) if each.is_dir()]
    return found


def _is_whole(kind: str, folder: Path) -> bool:
    names = {each.name for each in folder.iterdir()}
    if kind == "collections":
        return names >= {"MODS.xml", "COLLECTION_POLICY.xml"}
    return names >= _BOOK_FILES if "+" in folder.name else folder.name.isdigit() and names <= _PAGE_FILES


def _give(state: dict[str, Any], options: dict[str, str]) -> int:
    """Give away the images of pages, each into a file named after it."""
    del state
    for pid in Path(options["pid_file"]).read_text("utf-8").split():
        name = f"{pid}{options['filename_separator']}{options['dsid']}.jp2"
        shutil.copyfile(Path(options["home"], "drush-images", pid), Path(options["datastreams_directory"], name))
    return 0


def _php(state: dict[str, Any], options: dict[str, str]) -> int:
    """The one piece of PHP that is asked for: remove the sets that were prepared from a folder."""
    match = re.search(r"db_like\('(/[A-Za-z0-9._/-]+/)'\).*islandora_batch_delete_set", options["code"], re.DOTALL)
    if match is None:
        sys.stderr.write("PHP Parse error   [error]\n")
        return 255
    found = [number for number, each in state["sets"].items() if each["target"].startswith(match[1])]
    for number in found:
        del state["sets"][number]
    sys.stdout.write(f"sets removed: {len(found)}\n")
    return 0


def _say(pid: str) -> None:
    sys.stderr.write(f"Ingested {pid}.                                   [ok]\n")


_COMMANDS = {
    "islandora_datastream_crud_fetch_pids": _fetch,
    "islandora_datastream_crud_fetch_datastreams": _give,
    "islandora_batch_with_derivs_preprocess": _collections,
    "islandora_book_batch_preprocess": _books,
    "islandora_batch_ingest": _ingest,
    "php-eval": _php,
}

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
