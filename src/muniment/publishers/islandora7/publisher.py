"""Publishing to Islandora 7: look what is there, bring the tree, have it taken in, and count what was taken in.

Its commands say hardly whether they worked: what counts is the line for each thing that was ingested. What is there
already is not ingested again. What a broken line left is taken up where it was; what its machine marked as failed is
said, for Islandora's batch does not try that again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from muniment.errors.distillery import PublishedInPart, PublishingFailed
from muniment.imaging import ImageProcess
from muniment.imaging.text import ReadText
from muniment.publishers.islandora7.intake import Intake, taken_in
from muniment.publishers.islandora7.ssh import CommandResult, SshMachine, shown
from muniment.publishers.islandora7.tree import write_collection, write_tree
from muniment.publishers.protocol import Publication, PublishedAt, Publisher, Remembered

_LOOKS = 60
"""How often, a second apart, the index is asked for a new collection."""
_NONE = "no PIDS were found"
_INGESTED = re.compile(r"Ingested (\S+?)\.\s")
_SET_SAID = re.compile(r"SetId:\s*(\d+)")
_SET_PRINTED = re.compile(r"^\s*(\d+)\s*$", re.MULTILINE)
_PID = re.compile(r"^\s*([A-Za-z0-9.~_-]+:\S+)\s*$", re.MULTILINE)
_SUM = re.compile(r"^([0-9a-f]{64}) \*\./(.+)\^OBJ\.[^^/]*$", re.MULTILINE)
_KEPT = """members=$1 drush=$2 root=$3
at=$(mktemp -d "${TMPDIR:-/var/tmp}/look-XXXXXXXXXX") && mkdir "$at/files" || exit 1
"$drush" "$root" islandora_datastream_crud_fetch_pids --solr_query="$members" --pid_file="$at/pids" >&2 &&
"$drush" --user=1 "$root" islandora_datastream_crud_fetch_datastreams -y --pid_file="$at/pids" --dsid=OBJ \\
  --datastreams_directory="$at/files" --filename_separator=^ >&2 &&
cd "$at/files" && find . -type f -exec sha256sum -b {} +
ended=$?; rm -rf "$at"; exit "$ended"
"""
"""Have the images of pages given away into a folder there, and digest them."""
_SPECIAL = re.compile(r'([+\-!(){}\[\]^"~*?:\\/ ])')


@dataclass(frozen=True, slots=True)
class Islandora7Site:
    """Where Islandora is: its Drupal's folder, the address it is seen at, the namespace of collections, and drush."""

    webroot: str
    url: str
    namespace: str = "islandora"
    drush: str = "drush"


class Islandora7(Publisher):
    """One Islandora 7, by way of one machine."""

    def __init__(
        self,
        machine: SshMachine,
        site: Islandora7Site,
        open_images: Callable[[], ImageProcess],
        read_text: ReadText,
        scratch: Callable[[], Path],
        remembered: Remembered,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`pause` waits between looks whether the index knows of what was ingested."""
        self._pause = pause
        self._machine = machine
        self._site = site
        self._open_images = open_images
        self._read_text = read_text
        self._scratch = scratch
        self._remembered = remembered

    def preflight(self) -> None:
        """Look whether the machine answers, Drupal is where it should be, and what is needed beside it is there.

        Raises:
            PublishingFailed: It does not, or is not.
        """
        ran = self._machine.run(["test", "-d", self._site.webroot], seconds=60)
        if ran.status != 0:
            raise PublishingFailed(id=self._machine.target, reason=f"there is no folder {self._site.webroot}")
        ran = self._machine.run(["sh", "-c", "command -v flock && command -v rsync"], seconds=60)
        if ran.status != 0:
            raise PublishingFailed(id=self._machine.target, reason="it lacks flock (of util-linux) or rsync")

    def prepare(self, publication: Publication) -> None:
        """Have the collection ingested, where it is not there, and wait until the index knows of it.

        Raises:
            PublishingFailed: It was not ingested.
        """
        pid = self._collection_pid(publication)
        with self._taken_in(f"collection {pid}", publication.collection_title) as intake:
            if self._collections(pid):
                return
            number = _number(_SET_SAID, intake.answer.err) if intake.answer else ""
            if number:
                self._resume(intake, number)
            else:
                self._ingest_collection(intake, pid, publication)
            for _ in range(_LOOKS):
                if self._collections(pid):
                    return
                self._pause(1.0)
        raise PublishingFailed(id=pid, reason="it was ingested and is not found")

    def publish(self, publication: Publication) -> PublishedAt:
        """Have a book and its pages ingested, unless they are there.

        Raises:
            PublishingFailed: It was not ingested whole.
        """
        pid, pages = f"{publication.collection}:{publication.id}", len(publication.pages)
        address = f"{self._site.url.rstrip('/')}/islandora/object/{quote(pid, safe='')}"
        found = PublishedAt(address, f"{address}/datastream/TN/view", {"pid": pid, "pages": str(pages)})
        with self._taken_in(f"book {pid}", _version(publication)) as intake:
            there = self._pages_there(pid)
            if there == pages and not intake.folder:
                return self._recorded(publication.id, found)
            number = _number(_SET_PRINTED, intake.answer.out) if intake.answer else ""
            if number:
                self._resume(intake, number)
            elif there is None:
                self._ingest_book(intake, publication)
            there = self._pages_there(pid)
            self._remembered.put(_name(pid), json.dumps({"sent": intake.digests()}))
        if there is None:
            raise PublishingFailed(id=publication.id, reason=f"{pid} was ingested and is not found")
        if there != pages:
            reason = f"{pid} is there with {there} of {pages} pages: remove it there, and run this again"
            raise PublishedInPart(id=publication.id, reason=reason)
        return self._recorded(publication.id, found)

    def check(self, id: str, expected: PublishedAt) -> Iterator[str]:
        """Look whether the book is there with all its pages, and their images are those that were published.

        Raises:
            PublishingFailed: It cannot be told.
        """
        del id
        pid, pages = expected.files["pid"], int(expected.files["pages"])
        there = self._pages_there(pid)
        if there is None:
            yield f"{pid} is not there"
        elif there != pages:
            yield f"{pid} has {there} pages, and {pages} were published"
        wanted = {page: digest for page, digest in expected.files.items() if page not in {"pid", "pages"}}
        kept = self._images_kept(pid) if there is not None and wanted else {}
        for page, digest in wanted.items():
            if page in kept and kept[page] != digest:
                yield f"the image of {page} is not the one that was published: its sha256 is {kept[page]}"
            elif kept and page not in kept:
                yield f"{page} has no image"

    # --- inside

    def _taken_in(self, thing: str, version: str) -> AbstractContextManager[Intake]:
        # A machine may have several sites, and the same collection in two of them.
        return taken_in(self._machine, self._words(), f"{self._site.webroot} {thing}", version)

    @contextlib.contextmanager
    def _written(self, pid: str) -> Iterator[Path]:
        """An empty folder here, for a `with` block."""
        # One name for one thing: what a process that was ended left is removed by the next.
        place = self._scratch() / f"islandora-{hashlib.sha256(pid.encode()).hexdigest()[:16]}"
        shutil.rmtree(place, ignore_errors=True)
        try:
            place.mkdir(parents=True)
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _recorded(self, id: str, found: PublishedAt) -> PublishedAt:
        """What was published, with the digest of each page's image as Islandora has it, compared with what was sent.

        It is asked for once: Islandora gives an image away as a whole only.

        Raises:
            PublishedInPart: It has others.
            PublishingFailed: It cannot be told.
        """
        name = _name(found.files["pid"])
        known: dict[str, Any] = json.loads(self._remembered.get(name) or "{}")
        if "kept" not in known:
            known["kept"] = self._images_kept(found.files["pid"])
            if "sent" in known and sorted(known["kept"].values()) != known["sent"]:
                reason = f"images of {found.files['pid']} are not those that were sent: remove it, and run this again"
                raise PublishedInPart(id=id, reason=reason)
            self._remembered.put(name, json.dumps(known))
        return replace(found, files={**found.files, **known["kept"]})

    def _images_kept(self, pid: str) -> dict[str, str]:
        """The sha256 of each page's image as Islandora gives it away, by the page's PID."""
        words = [_members(pid), *self._words(user=False)]
        ran = self._machine.run(["sh", "-c", _KEPT, "sh", *words], seconds=86400)
        if ran.status != 0:
            raise PublishingFailed(id=pid, reason=f"its images cannot be had: {shown(ran)}")
        return {match[2]: match[1] for match in _SUM.finditer(ran.out)}

    def _pages_there(self, pid: str) -> int | None:
        """How many pages of a book are there; None where there is no such book."""
        if pid not in self._pids(f"PID:{_escaped(pid)}"):
            return None
        return len(self._pids(_members(pid)))

    def _pids(self, query: str) -> list[str]:
        """What Islandora's index has for a query.

        Raises:
            PublishingFailed: It could not be asked.
        """
        words = [*self._words(user=False), "islandora_datastream_crud_fetch_pids", f"--solr_query={query}"]
        ran = self._machine.run(words, seconds=3600)
        if _NONE in ran.out or _NONE in ran.err:
            return []
        if ran.status != 0:
            raise PublishingFailed(id=query, reason=f"its index could not be asked: {shown(ran)}")
        return _PID.findall(ran.out)

    def _collection_pid(self, publication: Publication) -> str:
        return f"{self._site.namespace}:{publication.collection}"

    def _collections(self, pid: str) -> list[str]:
        """The collection with this identifier, where it is there."""
        return self._pids(f"dc.identifier:{_escaped(pid)} AND dc.type:Collection")

    def _ingest_collection(self, intake: Intake, pid: str, publication: Publication) -> None:
        with self._written(pid) as place:
            write_collection(place, publication, self._site.namespace)
            intake.send(place)
        ran = intake.prepare(
            "islandora_batch_with_derivs_preprocess",
            "--content_models=islandora:collectionCModel",
            "--key_datastream=MODS",
            f"--namespace={self._site.namespace}",
            "--parent=islandora:root",
            "--use_pids=TRUE",
            f"--scan_target={intake.folder}/collections",
        )
        self._ingest(intake, ran, _number(_SET_SAID, ran.err), 1, pid)

    def _ingest_book(self, intake: Intake, publication: Publication) -> None:
        parent = next(iter(self._collections(self._collection_pid(publication))), "")
        if not parent:
            raise PublishingFailed(id=publication.id, reason="its collection is not there")
        with self._written(f"{publication.collection}:{publication.id}") as place:
            with self._open_images() as images:
                read = write_tree(place, publication, self._site.namespace, images, self._read_text)
            intake.send(place)
        ran = intake.prepare(
            "islandora_book_batch_preprocess",
            "--output_set_id=TRUE",
            f"--parent={parent}",
            f"--namespace={publication.collection}",
            f"--scan_target={intake.folder}/books",
            "--type=directory",
            # What is sent with its text must not be read again there.
            *(["--do_not_generate_ocr", "--do_not_generate_hocr"] if all(read.values()) else []),
        )
        things = 1 + len(publication.pages)
        self._ingest(intake, ran, _number(_SET_PRINTED, ran.out), things, publication.id)

    def _ingest(self, intake: Intake, prepared: CommandResult, number: str, things: int, what: str) -> None:
        if prepared.status != 0 or not number:
            intake.give_up()
            raise PublishingFailed(id=what, reason=f"it was not taken in: {shown(prepared)}")
        ran = intake.ingest(number)
        count = len(set(_INGESTED.findall(f"{ran.err}\n{ran.out}\n")))
        if ran.status == 0 and count == things:
            return
        if count == 0:
            intake.give_up()
        raise PublishingFailed(id=what, reason=f"{count} of {things} things were ingested: {shown(ran)}")

    def _resume(self, intake: Intake, number: str) -> None:
        """Have ingested what is left of a set; how much that was, the index will tell."""
        ran = intake.ingest(number)
        if ran.status != 0:
            raise PublishingFailed(id=f"set {number}", reason=f"it was not taken in: {shown(ran)}")

    def _words(self, *, user: bool = True) -> list[str]:
        return [self._site.drush, *(["--user=1"] if user else []), f"--root={self._site.webroot}"]


def _number(pattern: re.Pattern[str], said: str) -> str:
    """The number of a set, from what its preparation said; empty where it said none."""
    found = pattern.search(said)
    return found[1] if found else ""


def _members(pid: str) -> str:
    """What the index is asked for the pages of a book."""
    return f'RELS_EXT_isMemberOf_uri_ms:"info:fedora/{pid}"'


def _name(pid: str) -> str:
    return f"islandora7 {pid}"


def _version(publication: Publication) -> str:
    """What a book looks like, whatever place its scans lie in just now."""
    return repr(replace(publication, pages=[replace(each, scan=Path()) for each in publication.pages]))


def _escaped(text: str) -> str:
    """A text as a term of Solr's query language."""
    return _SPECIAL.sub(r"\\\1", text)
