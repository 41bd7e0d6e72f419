"""A stand-in for drush with Islandora 7's batch commands: `python drush.py STATE.json COMMAND…`.

It is written from what is published of these commands, and is not Islandora: it reads the tree as they are said to,
prints its numbers where they print them, and remembers every call. It knows only what the Distillery asks for.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

_BOOK_FILES = {"MODS.xml", "TN.jpg"}
_PAGE_FILES = {"OBJ.jp2", "JP2.jp2", "JPG.jpg", "TN.jpg", "MODS.xml", "OCR.txt", "HOCR.html"}


def install(folder: Path) -> Path:
    """A command `drush` in a folder, with its state beside it; the command."""
    state = folder / "drush.json"
    empty = {"calls": [], "sets": {}, "books": {}, "collections": [], "fail_after": -1, "index_lags": 0}
    state.write_text(json.dumps(empty), "utf-8")
    command = folder / "drush"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__)}" "{state}" "$@"\n', "utf-8")
    command.chmod(0o755)
    return command


def main(place: Path, words: list[str]) -> int:
    """Do one command."""
    state: dict[str, Any] = json.loads(place.read_text("utf-8"))
    state["calls"].append(words)
    options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    command = next(word for word in words if not word.startswith("--"))
    try:
        return _COMMANDS[command](state, options)
    finally:
        place.write_text(json.dumps(state), "utf-8")


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
    sys.stdout.write("".join(f"{each}\n" for each in found))
    return 0


def _set(state: dict[str, Any], kind: str, target: str) -> str:
    number = str(len(state["sets"]) + 17)
    state["sets"][number] = {"kind": kind, "target": target}
    return number


def _collections(state: dict[str, object], options: dict[str, str]) -> int:
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
    given = state["sets"].pop(options["ingest_set"])
    for folder in sorted(Path(given["target"]).iterdir()):
        pid = folder.name.replace("+", ":", 1)
        if given["kind"] == "collections":
            if not (folder / "MODS.xml").is_file() or not (folder / "COLLECTION_POLICY.xml").is_file():
                return 1
            state["collections"].append(pid)
            _say(pid)
            continue
        pages = sorted(each for each in folder.iterdir() if each.is_dir())
        if not {each.name for each in folder.iterdir()} >= _BOOK_FILES:
            return 1
        state["books"][pid] = []
        _say(pid)
        for at, page in enumerate(pages):
            if at == state["fail_after"]:
                state["fail_after"] = -1
                sys.stderr.write("Failed to ingest object   [error]\n")
                return 0  # as the real one: it says so and ends well
            if {each.name for each in page.iterdir()} - _PAGE_FILES or not page.name.isdigit():
                return 1
            state["books"][pid].append(f"{pid}-{page.name}")
            _say(f"{pid}-{page.name}")
    sys.stderr.write("Processing complete; review the queue for some additional information.   [status]\n")
    return 0


def _say(pid: str) -> None:
    sys.stderr.write(f"Ingested {pid}.                                   [ok]\n")


_COMMANDS = {
    "islandora_datastream_crud_fetch_pids": _fetch,
    "islandora_batch_with_derivs_preprocess": _collections,
    "islandora_book_batch_preprocess": _books,
    "islandora_batch_ingest": _ingest,
}

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
