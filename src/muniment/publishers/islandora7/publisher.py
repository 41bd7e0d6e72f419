"""Publishing to Islandora 7: look what is there, bring the tree, have it taken in, and count what was taken in.

Its commands say hardly whether they worked: what counts is the line for each thing that was ingested. What is there
already is not ingested again; what is there in part is said, for Islandora's batch cannot complete it.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from muniment.errors.distillery import PublishedInPart, PublishingFailed
from muniment.imaging import ImageProcess
from muniment.imaging.text import ReadText
from muniment.publishers.islandora7.ssh import CommandResult, SshMachine, shown
from muniment.publishers.islandora7.tree import write_collection, write_tree
from muniment.publishers.protocol import Publication, PublishedAt, Publisher

_LOOKS = 60
"""How often, a second apart, the index is asked for a new collection."""
_NONE = "no PIDS were found"
_INGESTED = re.compile(r"Ingested (\S+?)\.\s")
_SET_SAID = re.compile(r"SetId:\s*(\d+)")
_SET_PRINTED = re.compile(r"^\s*(\d+)\s*$", re.MULTILINE)
_PID = re.compile(r"^\s*([A-Za-z0-9.~_-]+:\S+)\s*$", re.MULTILINE)
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
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`pause` waits between looks whether the index knows of what was ingested."""
        self._pause = pause
        self._machine = machine
        self._site = site
        self._open_images = open_images
        self._read_text = read_text
        self._scratch = scratch

    def preflight(self) -> None:
        """Look whether the machine answers and Drupal is where it should be.

        Raises:
            PublishingFailed: It does not, or is not.
        """
        ran = self._machine.run(["test", "-d", self._site.webroot], seconds=60)
        if ran.status != 0:
            raise PublishingFailed(id=self._machine.target, reason=f"there is no folder {self._site.webroot}")

    def prepare(self, publication: Publication) -> None:
        """Have the collection ingested, where it is not there, and wait until the index knows of it.

        Raises:
            PublishingFailed: It was not ingested.
        """
        pid = self._collection_pid(publication)
        if self._collections(pid):
            return
        with self._sent(pid, lambda place: write_collection(place, publication, self._site.namespace)) as target:
            self._ingest_collection(pid, target)
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
        there = self._pages_there(pid)
        if there == pages:
            return found
        if there is not None:
            reason = f"{pid} is there with {there} of {pages} pages: remove it there, and run this again"
            raise PublishedInPart(id=publication.id, reason=reason)
        read: dict[str, bool] = {}

        def write(place: Path) -> None:
            with self._open_images() as images:
                read.update(write_tree(place, publication, self._site.namespace, images, self._read_text))

        with self._sent(pid, write) as target:
            parent = next(iter(self._collections(self._collection_pid(publication))), "")
            if not parent:
                raise PublishingFailed(id=publication.id, reason="its collection is not there")
            self._ingest_book(publication, target, parent, 1 + pages, read=all(read.values()))
        if self._pages_there(pid) != pages:
            raise PublishingFailed(id=publication.id, reason=f"{pid} was ingested and is not found whole")
        return found

    def check(self, id: str, expected: PublishedAt) -> Iterator[str]:
        """Look whether the book is there with all its pages.

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

    # --- inside

    @contextlib.contextmanager
    def _sent(self, pid: str, write: Callable[[Path], None]) -> Iterator[str]:
        """A temporary folder there with what `write` writes, for a `with` block."""
        # One name for one thing: what a process that was ended left is removed by the next.
        place = self._scratch() / f"islandora-{hashlib.sha256(pid.encode()).hexdigest()[:16]}"
        shutil.rmtree(place, ignore_errors=True)
        target = self._temporary()
        try:
            place.mkdir(parents=True)
            write(place)
            self._machine.send(place, target)
            yield target
        finally:
            shutil.rmtree(place, ignore_errors=True)
            self._machine.run(["rm", "-rf", "--", target])

    def _temporary(self) -> str:
        ran = self._machine.run(["mktemp", "-d"])
        target = ran.out.strip()
        if ran.status != 0 or not re.fullmatch(r"/[A-Za-z0-9._/-]+", target):
            raise PublishingFailed(id=self._machine.target, reason=f"it gave no temporary folder: {shown(ran)}")
        return target

    def _pages_there(self, pid: str) -> int | None:
        """How many pages of a book are there; None where there is no such book."""
        if pid not in self._pids(f"PID:{_escaped(pid)}"):
            return None
        return len(self._pids(f'RELS_EXT_isMemberOf_uri_ms:"info:fedora/{pid}"'))

    def _pids(self, query: str) -> list[str]:
        """What Islandora's index has for a query.

        Raises:
            PublishingFailed: It could not be asked.
        """
        ran = self._drush("islandora_datastream_crud_fetch_pids", f"--solr_query={query}", user=False)
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

    def _ingest_collection(self, pid: str, target: str) -> None:
        ran = self._drush(
            "islandora_batch_with_derivs_preprocess",
            "--content_models=islandora:collectionCModel",
            "--key_datastream=MODS",
            f"--namespace={self._site.namespace}",
            "--parent=islandora:root",
            "--use_pids=TRUE",
            f"--scan_target={target}/collections",
        )
        number = _SET_SAID.search(ran.err)
        if ran.status != 0 or number is None:
            raise PublishingFailed(id=pid, reason=f"the collection was not taken in: {shown(ran)}")
        self._ingest(number[1], 1, pid)

    def _ingest_book(self, publication: Publication, target: str, parent: str, things: int, *, read: bool) -> None:
        ran = self._drush(
            "islandora_book_batch_preprocess",
            "--output_set_id=TRUE",
            f"--parent={parent}",
            f"--namespace={publication.collection}",
            f"--scan_target={target}/books",
            "--type=directory",
            # What is sent with its text must not be read again there.
            *(["--do_not_generate_ocr", "--do_not_generate_hocr"] if read else []),
        )
        number = _SET_PRINTED.search(ran.out)
        if ran.status != 0 or number is None:
            raise PublishingFailed(id=publication.id, reason=f"the book was not taken in: {shown(ran)}")
        self._ingest(number[1], things, publication.id)

    def _ingest(self, number: str, things: int, what: str) -> None:
        ran = self._drush("islandora_batch_ingest", f"--ingest_set={number}")
        count = len(set(_INGESTED.findall(f"{ran.err}\n{ran.out}\n")))
        if ran.status != 0 or count != things:
            raise PublishingFailed(id=what, reason=f"{count} of {things} things were ingested: {shown(ran)}")

    def _drush(self, command: str, *options: str, user: bool = True) -> CommandResult:
        who = ["--user=1"] if user else []
        return self._machine.run(
            [self._site.drush, *who, f"--root={self._site.webroot}", command, *options], seconds=86400
        )


def _escaped(text: str) -> str:
    """A text as a term of Solr's query language."""
    return _SPECIAL.sub(r"\\\1", text)
