"""Publishing to Islandora 2 over Drupal's REST interface: collection, paged content, pages in order, and their media.

Drupal has no call to find a node by an identifier of ours, so node ids are remembered outside, each before the next
thing is made; a site that has a View for it may name its path, and is asked first. What is there is updated and never
made twice. Terms are looked up by their address, never by number or name. Each file's digest is compared there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from muniment.errors.distillery import PublisherUnreachable, PublishingFailed
from muniment.errors.sources import HostUnknown, RateLimited, ServiceFailed, ServiceUnreachable
from muniment.imaging import ImageProcess
from muniment.imaging.text import ReadText, no_text
from muniment.publishers.protocol import Publication, PublishedAt, PublishedPage, Publisher, Remembered
from muniment.session import Account, Session
from muniment.session.reply import Answer

COLLECTION = "http://purl.org/dc/dcmitype/Collection"
BOOK = "https://schema.org/Book"
PAGE = "http://id.loc.gov/ontologies/bibframe/part"
ORIGINAL, SERVICE, THUMBNAIL, TEXT = (
    f"http://pcdm.org/use#{name}" for name in ("OriginalFile", "ServiceFile", "ThumbnailImage", "ExtractedText")
)
HOCR = "https://discoverygarden.ca/use#hocr"
"""Known only to a site with the module islandora_hocr; elsewhere the text goes without its places."""
_JSON = "?_format=json"
_LIMIT = 16 << 20
_SMALL = 200
_MISSING, _ERRORS = 404, 400
_LARGEST_TEXT = 1 << 20
"""Characters of a page's text that go into the field which is searched; the file has all of it."""


class _Use(NamedTuple):
    """What a file is to its node: the term's address, the kind of media, the field of the file, and further fields."""

    uri: str
    bundle: str
    field: str
    more: Mapping[str, object] = MappingProxyType({})


_ORIGINAL = _Use(ORIGINAL, "file", "field_media_file")
_SERVICE = _Use(SERVICE, "image", "field_media_image")
_THUMBNAIL = _Use(THUMBNAIL, "image", "field_media_image")


@dataclass(frozen=True, slots=True)
class Islandora2Site:
    """Where Islandora is, and who publishes. `lookup` is the path of a View that finds nodes by local identifier."""

    url: str
    user: str
    password: str
    lookup: str = ""


class Islandora2(Publisher):
    """One Islandora 2."""

    def __init__(
        self,
        session: Session,
        site: Islandora2Site,
        open_images: Callable[[], ImageProcess],
        remembered: Remembered,
        scratch: Callable[[], Path],
        read_text: ReadText = no_text,
    ) -> None:
        """`read_text` reads what is written on a page."""
        self._read_text = read_text
        self._session = session
        self._site = site
        self._url = site.url.rstrip("/")
        self._open_images = open_images
        self._remembered = remembered
        self._scratch = scratch
        # Files are taken in by basic authentication only.
        basic = b64encode(f"{site.user}:{site.password}".encode()).decode()
        self._account = Account(
            "Islandora", (self._url,), headers={"Authorization": f"Basic {basic}"}, secrets=(site.password, basic)
        )
        self._terms: dict[str, int] = {}

    def preflight(self) -> None:
        """Look whether it answers, lets us in, and knows the terms that are needed.

        Raises:
            PublishingFailed: Something of it is missing.
        """
        for uri in (COLLECTION, BOOK, PAGE, ORIGINAL, SERVICE, THUMBNAIL, TEXT):
            self._term(uri)

    def prepare(self, publication: Publication) -> None:
        """Make or update the collection.

        Raises:
            PublishingFailed: It was not done.
        """
        self._node(publication.collection, publication.collection_title, COLLECTION)

    def publish(self, publication: Publication) -> PublishedAt:
        """Make or update the book, its pages and their media.

        Raises:
            PublishingFailed: It was not done whole; what was made is found again.
        """
        collection = self._node(publication.collection, publication.collection_title, COLLECTION)
        book = self._node(publication.id, publication.title, BOOK, member_of=collection)
        files: dict[str, str] = {"node": str(book)}
        place = self._scratch()
        with self._open_images() as images:
            for weight, page in enumerate(publication.pages, 1):
                node = self._node(f"{publication.id}/{page.id}", page.title, PAGE, member_of=book, weight=weight)
                files |= self._media_of(node, page, images, place)
            first = publication.pages[0]
            thumbnail = self._thumbnail(book, first, images, place, files)
        return PublishedAt(f"{self._url}/node/{book}", thumbnail, files)

    def check(self, id: str, expected: PublishedAt) -> Iterator[str]:
        """Compare each file there with what was sent, by its digest.

        Raises:
            PublishingFailed: It cannot be told.
        """
        if self._call("GET", f"/node/{expected.files['node']}{_JSON}", missing=True) is None:
            yield f"{id} has no node {expected.files['node']} any more"
            return
        for uuid, sha256 in expected.files.items():
            if uuid != "node":
                found = self._hash(uuid)
                if found != sha256:
                    yield f"the file {uuid} is another than was sent" if found else f"the file {uuid} is not there"

    # --- inside

    def _node(self, identifier: str, title: str, model: str, *, member_of: int = 0, weight: int = 0) -> int:
        """The node with this identifier, made where there is none, and as it should be."""
        wanted: dict[str, Any] = {
            "type": [{"target_id": "islandora_object"}],
            "title": [{"value": title[:255]}],
            "field_model": [{"target_id": self._term(model)}],
            "field_local_identifier": [{"value": identifier}],
        }
        if member_of:
            wanted["field_member_of"] = [{"target_id": member_of}]
        if weight:
            wanted["field_weight"] = [{"value": weight}]
        name = f"node {identifier}"
        known = self._remembered.get(name) or self._looked_up(identifier)
        if known:
            there = self._call("GET", f"/node/{known}{_JSON}", missing=True)
            if there is not None:
                changed = {
                    key: value for key, value in wanted.items() if key != "type" and not _same(there.get(key), value)
                }
                if changed:
                    self._call("PATCH", f"/node/{known}{_JSON}", {"type": wanted["type"], **changed})
                return int(known)
        made = self._call("POST", f"/node{_JSON}", wanted)
        number = int(made["nid"][0]["value"])
        self._remembered.put(name, str(number))
        return number

    def _looked_up(self, identifier: str) -> str:
        if not self._site.lookup:
            return ""
        found = self._call("GET", f"{self._site.lookup}?{urlencode({'_format': 'json', 'identifier': identifier})}")
        numbers = sorted(int(each["nid"][0]["value"]) for each in found) if isinstance(found, list) else []
        if len(numbers) > 1:
            raise PublishingFailed(id=identifier, reason=f"several nodes have this identifier: {numbers}")
        return str(numbers[0]) if numbers else ""

    def _media_of(self, node: int, page: PublishedPage, images: ImageProcess, place: Path) -> dict[str, str]:
        """The files of a page by uuid, each with its sha256: original, service file, thumbnail, and its text."""
        with _emptied(place / f"page-{node}") as folder:
            service, small = folder / f"{page.id}.jpg", folder / f"{page.id}-thumbnail.jpg"
            images.jpeg(page.scan, page.page, service, width=2000, height=2000, quality=85)
            images.jpeg(page.scan, page.page, small, width=_SMALL, height=_SMALL)
            made = dict([self._media(node, page.scan, _ORIGINAL)])
            made |= dict([self._media(node, service, _SERVICE), self._media(node, small, _THUMBNAIL)])
            return made | self._texts_of(node, page, images, folder)

    def _texts_of(self, node: int, page: PublishedPage, images: ImageProcess, folder: Path) -> dict[str, str]:
        """The text of a page for the search there, and with its places where the site knows of such files."""
        plain = folder / "plain.tif"
        images.plain(page.scan, page.page, plain)
        read = self._read_text(plain, folder)
        if read is None or not read.text.strip():
            return {}
        text, hocr = folder / f"{page.id}.txt", folder / f"{page.id}.hocr"
        text.write_text(read.text, "utf-8")
        hocr.write_text(read.hocr, "utf-8")
        searched = {"field_edited_text": [{"value": read.text[:_LARGEST_TEXT]}]}
        made = dict([self._media(node, text, _Use(TEXT, "extracted_text", "field_media_file", searched))])
        if self._found_term(HOCR):
            made |= dict([self._media(node, hocr, _Use(HOCR, "file", "field_media_file"))])
        return made

    def _thumbnail(
        self, book: int, page: PublishedPage, images: ImageProcess, place: Path, files: dict[str, str]
    ) -> str:
        """The book's picture; its address."""
        with _emptied(place / f"book-{book}") as folder:
            picture = folder / f"{page.id}-thumbnail.jpg"
            images.jpeg(page.scan, page.page, picture, width=_SMALL, height=_SMALL)
            uuid, sha256 = self._media(book, picture, _THUMBNAIL)
        files[uuid] = sha256
        return self._remembered.get(f"address {uuid}")

    def _media(self, node: int, path: Path, use: _Use) -> tuple[str, str]:
        """The media of a node for a use; sent where it is not there with these bytes. The file's uuid and sha256."""
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        name = f"media {node} {use.uri}"
        number, uuid, before = (self._remembered.get(name) or "  ").split(" ")
        if uuid and before == sha256 and self._hash(uuid) == sha256:
            return uuid, sha256
        fid, uuid = self._upload(path, use.bundle, use.field, sha256)
        wanted: dict[str, Any] = {
            "bundle": [{"target_id": use.bundle}],
            "name": [{"value": path.name[:255]}],
            use.field: [{"target_id": fid}],
            "field_media_of": [{"target_id": node}],
            "field_media_use": [{"target_id": self._term(use.uri)}],
            **use.more,
        }
        # What was made before an end came, and could not be remembered any more, is found at its node.
        number = number or self._media_there(node, use)
        if number and self._call("GET", f"/media/{number}/edit{_JSON}", missing=True) is not None:
            self._call("PATCH", f"/media/{number}/edit{_JSON}", wanted)
        else:
            number = str(self._call("POST", f"/entity/media{_JSON}", wanted)["mid"][0]["value"])
        self._remembered.put(name, f"{number} {uuid} {sha256}")
        return uuid, sha256

    def _media_there(self, node: int, use: _Use) -> str:
        """The number of the media that a node has for a use; '' without one."""
        found = self._call("GET", f"/node/{node}/media{_JSON}", missing=True)
        term = self._term(use.uri)
        for each in found if isinstance(found, list) else []:
            uses = {int(one["target_id"]) for one in each.get("field_media_use") or []}
            if term in uses and str(each["bundle"][0]["target_id"]) == use.bundle:
                return str(each["mid"][0]["value"])
        return ""

    def _upload(self, path: Path, bundle: str, field: str, sha256: str) -> tuple[int, str]:
        """Send a file and have its digest compared; its number and uuid."""
        plain = path.name.encode("ascii", "replace").decode().replace('"', "_").replace("?", "_")
        disposition = f'file; filename="{plain}"'
        if plain != path.name:
            disposition += f"; filename*=utf-8''{quote(path.name, safe='')}"
        headers = {"Content-Type": "application/octet-stream", "Content-Disposition": disposition}
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as view,
        ):
            made = self._call("POST", f"/file/upload/media/{bundle}/{field}{_JSON}", view, headers)
        fid, uuid = int(made["fid"][0]["value"]), str(made["uuid"][0]["value"])
        if self._hash(uuid) != sha256:
            raise PublishingFailed(id=path.name, reason="Islandora has other bytes than were sent")
        address = str(made.get("uri", [{}])[0].get("url", ""))
        self._remembered.put(f"address {uuid}", f"{self._url}{address}" if address.startswith("/") else address)
        return fid, uuid

    def _hash(self, uuid: str) -> str:
        query = urlencode({"file_uuid": uuid, "algorithm": "sha256"})
        found = self._call("GET", f"/islandora_workbench_integration/file_hash?{query}", missing=True)
        return str(found[0].get("checksum", "")) if isinstance(found, list) and found else ""

    def _term(self, uri: str) -> int:
        number = self._found_term(uri)
        if not number:
            raise PublishingFailed(id=uri, reason="Islandora has no term with this address")
        return number

    def _found_term(self, uri: str) -> int:
        """The number of a term; 0 where the site has none."""
        if uri not in self._terms:
            found = self._call("GET", f"/term_from_uri?{urlencode({'_format': 'json', 'uri': uri})}")
            self._terms[uri] = int(found[0]["tid"][0]["value"]) if isinstance(found, list) and found else 0
        return self._terms[uri]

    def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        missing: bool = False,
    ) -> Any:
        sent = {"Accept": "application/json", **(headers or {})}
        data = body
        if body is not None and not isinstance(body, memoryview):
            sent["Content-Type"], data = "application/json", json.dumps(body).encode()
        try:
            # What makes something is asked for once: when the answer is lost, the next try looks before it asks.
            reply = self._session.send(self._account, method, f"{self._url}{path}", sent, data, once=method == "POST")
            with closing(reply):
                answer = Answer.of(reply, "Islandora", _LIMIT)
        except (HostUnknown, ServiceUnreachable, ServiceFailed, RateLimited) as error:
            raise PublisherUnreachable(id=self._url, reason=error.message.rstrip(".")) from error
        except OSError as error:
            raise PublisherUnreachable(id=self._url, reason=f"it was cut: {error}") from error
        if missing and answer.status == _MISSING:
            return None
        if answer.status >= _ERRORS:
            said = self._account.redact(" ".join(answer.body.decode("utf-8", "replace").split())[:400])
            raise PublishingFailed(id=path.partition("?")[0], reason=f"status {answer.status}: {said}")
        return answer.json() if answer.body else None


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """A folder for a `with` block. Its name is its thing's: what a process that was ended left there goes first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _same(found: object, wanted: list[Mapping[str, object]]) -> bool:
    """Whether a field has these values; what Drupal adds to them does not count."""
    if not isinstance(found, list) or len(found) != len(wanted):
        return False
    return all(
        str(have.get(key)) == str(value)
        for have, want in zip(found, wanted, strict=True)
        for key, value in want.items()
    )
