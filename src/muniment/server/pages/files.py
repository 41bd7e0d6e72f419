"""File: what is in this file, where else is it, and is it right? Nothing of it ever runs in our origin."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.archive import Found, Instance
from muniment.content import Entry
from muniment.errors.base import ExtraMissing, MunimentError
from muniment.errors.distillery import BadScan, ImagingFailed, ImagingLibraryMissing
from muniment.errors.remote import NoSuchPage
from muniment.http.names import path_of, segment
from muniment.server.pages import assets
from muniment.server.pages.fetched_files import FetchedFiles
from muniment.server.pages.instance_facts import InstanceFacts, NamedDamage, named_damage
from muniment.server.pages.page import Page, file_path, resource_path
from muniment.server.pages.pictures import PICTURE_TYPES, ending_of, picture_size
from muniment.server.pages.previews import SIDE, Previews, reason_of
from muniment.server.pages.resources import State, asked_instance, state_of, title_of

router = APIRouter(include_in_schema=False)
_BEGINNING = 256 * 1024
_ROWS = 200
_CELLS = 40
_PLACES = 50
_LARGEST_PICTURE = 30_000_000
_MOST_PIXELS = 60_000_000
_DEEPEST = 24
_LARGEST_DRAWING = 2_000_000
_TEXTS = frozenset(
    {
        "txt",
        "md",
        "xml",
        "html",
        "htm",
        "xhtml",
        "csv",
        "tsv",
        "json",
        "geojson",
        "jsonld",
        "yaml",
        "yml",
        "toml",
        "py",
        "r",
        "js",
        "css",
        "c",
        "h",
        "java",
        "sql",
        "log",
        "rst",
        "tex",
        "ini",
        "srt",
        "vtt",
        "ttl",
        "nt",
    }
)
_PLAYED = {"mp3": "sound", "flac": "sound", "wav": "sound", "mp4": "film", "webm": "film"}
"""What a browser plays by itself, of the types that the native interface sends as what they are."""
_SENT = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"})
"""What a browser may be sent as it is, in an `<img>`."""
_TILED = frozenset({"image/png", "image/jpeg", "image/tiff", "image/jp2"})
"""What is shown deeper than a preview, part by part."""
_TILE = 512
_SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown of a file: `kind` is picture, sound, film, table, text, or none with the reason why."""

    kind: str
    text: str = ""
    table: list[list[str]] | None = None
    cut: bool = False
    why: str = ""
    pages: int = 1
    page: int = 1
    width: int = 0
    height: int = 0
    """Pixels, where it is larger than what is shown at once; zeros else."""


@router.get("/resources/{id}/files/{path:path}", operation_id="page_file")
def file(request: Request, id: str, path: str) -> Response:
    """The page."""
    page = Page(request)
    found = asked_instance(page, id)
    name = path_of(path)
    entry = found[name]
    where = f"instances/{found.number}/files/{file_path(name)}?project={segment(found.project)}"
    digest = _digest(entry)
    others = page.contents.holding(digest, page.readable, _PLACES) if digest else []
    check = page.contents.last_check(found.project, found.id)
    whole = page.contents.last_check()
    state = state_of(page, found.earlier(found.head).created, check, whole)
    damage = named_damage(page, check)
    place = found.place(name)
    wrong = place in damage.wrong
    facts: InstanceFacts = page.request.app.state.facts
    preview = (
        Preview("none", why=str(page.texts("It is not shown, since it is not what was recorded.")))
        if wrong
        else preview_of(page, found, entry)
    )
    deep = bool(preview.width) and assets.VIEWER in assets.files()
    return page.show(
        "file.html",
        name.rpartition("/")[2],
        "/find",
        found=found,
        entry=entry,
        title_text=title_of(found),
        here=resource_path(found.project, found.id, instance=found.number),
        itself=resource_path(found.project, found.id, f"files/{file_path(name)}", instance=found.number),
        folder=resource_path(found.project, found.id, instance=found.number, folder=name.rpartition("/")[0]),
        native=f"/archive/v1/resources/{segment(found.id)}/{where}",
        picture=resource_path(found.project, found.id, f"picture/{file_path(name)}", instance=found.number),
        others=[
            (
                each,
                resource_path(
                    each.summary.project, each.summary.id, f"files/{file_path(each.path)}", instance=each.last
                ),
            )
            for each in others
            if not _is(each, found, name)
        ],
        preview=preview,
        state=state_of_file(page, state, wrong=wrong, unknown=place in damage.unknown, named=damage),
        formats=facts.formats(found).get(name, ()),
        identified=found.record.get("checks", {}).get("format identification"),
        scanned=found.record.get("checks", {}).get("virus check"),
        came=_came(found, min((each.first for each in others if _is(each, found, name)), default=0)),
        checked_at=max((each.at for each in (check, whole) if each is not None and not each.fast), default=""),
        media=preview.kind in {"sound", "film"},
        tiles=resource_path(found.project, found.id, f"tile/{file_path(name)}", instance=found.number),
        script=assets.address(assets.VIEWER) if deep else "",
        viewer=deep,
    )


@router.get("/resources/{id}/picture/{path:path}", operation_id="page_picture")
def picture(request: Request, id: str, path: str) -> Response:
    """A picture for `<img>`: a JPEG the server made of it.

    An SVG is sent as it is, since an `<img>` runs nothing of it; so are small pictures where the imaging library is
    missing. Looked at on its own it is a document in which nothing may run or be loaded. With `small` it is one for a
    strip of many. With `stand_in` a page that cannot know yet gets a drawing that says so where none can be made.

    Raises:
        NoSuchPage: It is no picture that is shown.
    """
    page = Page(request)
    found = asked_instance(page, id)
    entry = found[path_of(path)]
    try:
        return _picture_sent(page, found, entry)
    except NoSuchPage:
        if not page.asked("stand_in", 1):
            raise
        return Response(
            _stand_in(page, small=bool(page.asked("small", 1))),
            headers={"Content-Security-Policy": _SANDBOX, "Cache-Control": "no-store"},
            media_type="image/svg+xml",
        )


def _picture_sent(page: Page, found: Instance, entry: Entry) -> Response:
    request = page.request
    number = page_number(page)
    small = bool(page.asked("small", 1))
    etag = f'"{_digest(entry)}-{number}{"-small" if small else ""}"'
    headers = {"Content-Security-Policy": _SANDBOX, "Cache-Control": "private, no-cache", "ETag": etag}
    if _digest(entry) and request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    if ending_of(entry.path) != "svg" and _kind(entry):
        try:
            made = _made(page, found, entry, number, small=small)
            return Response(made, headers=headers, media_type="image/jpeg")
        except (ExtraMissing, ImagingLibraryMissing):
            pass  # a small picture that browsers show is sent as it is
        except (BadScan, ImagingFailed, OSError):
            raise NoSuchPage(path=request.scope["path"][:200]) from None
    kind = _kind(entry)
    if kind not in _SENT or _as_it_is(page, found, entry).kind != "picture":
        raise NoSuchPage(path=request.scope["path"][:200])
    with found.open(entry.path) as file:
        data = file.read(_LARGEST_PICTURE + 1)
    return Response(data, headers=headers, media_type=kind)


def _stand_in(page: Page, *, small: bool) -> str:
    """The sign of what could not be told, and in words what that means here: the file's page says why."""
    t = page.texts
    height, words = (60, "") if small else (72, str(t("No picture can be made of this file.")))
    width = 48 if small else 320
    middle = width // 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<path d="M{middle} 8l16 16-16 16-16-16z" fill="none" stroke="#8a7cc0" stroke-width="2.5"/>'
        f'<text x="{middle}" y="30" text-anchor="middle" font-family="sans-serif" font-size="16" fill="#8a7cc0">'
        f"?</text>"
        f'<text x="{middle}" y="62" text-anchor="middle" font-family="sans-serif" font-size="14" fill="#7d7d7d">'
        f"{words}</text></svg>"
    )


def _made(page: Page, found: Instance, entry: Entry, number: int, *, small: bool) -> bytes:
    """A JPEG of a page of a file, as `Previews` makes it; a small one that is kept asks nothing of the file."""
    previews: Previews = page.request.app.state.previews
    digest = _digest(entry)
    if small and (known := previews.known(number, digest)) is not None:
        return known
    with _fetched(page).open(found, entry) as place:
        return previews.small(place, number, digest) if small else previews.picture(place, number)


def _fetched(page: Page) -> FetchedFiles:
    found: FetchedFiles = page.request.app.state.fetched
    return found


@router.get("/resources/{id}/tile/{path:path}", operation_id="page_tile")
def tile(request: Request, id: str, path: str) -> Response:
    """A part of a large picture as a JPEG: `level` halves its size up to the whole, `x` and `y` count squares of 512.

    Raises:
        NoSuchPage: It is no picture with parts, or has none there.
    """
    page = Page(request)
    found = asked_instance(page, id)
    entry = found[path_of(path)]
    number, level, x, y = page_number(page), *(_whole(page.asked(name, 5)) for name in ("level", "x", "y"))
    etag = f'"{_digest(entry)}-{number}-{level}-{x}-{y}"'
    headers = {"Content-Security-Policy": _SANDBOX, "Cache-Control": "private, max-age=3600", "ETag": etag}
    if _digest(entry) and request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    nothing = NoSuchPage(path=request.scope["path"][:200])
    if _kind(entry) not in _TILED or level > _DEEPEST:
        raise nothing
    previews: Previews = page.request.app.state.previews
    try:
        with _fetched(page).open(found, entry) as place:
            box, wide = tile_box(*previews.look(place)[1:], level, x, y)
            made = previews.tile(place, number, box, wide)
    except (BadScan, ImagingFailed, ExtraMissing, ImagingLibraryMissing, ValueError, OSError):
        raise nothing from None
    return Response(made, headers=headers, media_type="image/jpeg")


def tile_box(width: int, height: int, level: int, x: int, y: int) -> tuple[tuple[int, int, int, int], int]:
    """A square of a picture at a level, counted from the whole in one pixel: its part of the picture, and its width.

    Raises:
        ValueError: There is none.
    """
    deepest = (max(width, height) - 1).bit_length()
    scale = 2 ** (deepest - level)
    left, top = x * _TILE * scale, y * _TILE * scale
    if level > deepest or left >= width or top >= height:
        raise ValueError
    box = (left, top, min(_TILE * scale, width - left), min(_TILE * scale, height - top))
    return box, max(-(-box[2] // scale), 1)


def _came(found: Instance, number: int) -> Instance | None:
    """The instance with which a file came, by its number; None where that is not known."""
    return found.earlier(number) if 0 < number <= found.head else None


def _is(place: Found, found: Instance, name: str) -> bool:
    return (place.summary.project, place.summary.id, place.path) == (found.project, found.id, name)


def state_of_file(page: Page, state: State, *, wrong: bool, unknown: bool, named: NamedDamage) -> State:
    """What the newest check of its resource says of one file."""
    t = page.texts
    if wrong:
        says = t("It was read, and it is not what was recorded. Its download breaks off instead of ending well.")
        return State("bad", str(t("Damaged")), str(says))
    if unknown:
        return State("unknown", str(t("Could not tell")), str(t("It could not be read when it was checked.")))
    if state.shape in {"bad", "unknown"} and named.all and (named.wrong or named.unknown):
        return State("ok", str(t("Whole")), str(t("It was read and is as recorded.")))
    return state if state.shape != "bad" else State("unknown", str(t("Could not tell")), state.says)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0


def page_number(page: Page) -> int:
    """The page of a file that is asked for, from 1; 1 where what is asked is no number."""
    asked = page.asked("page", 5)
    return max(1, int(asked)) if asked.isascii() and asked.isdecimal() else 1


def preview_of(page: Page, found: Instance, entry: Entry) -> Preview:
    """What can be shown of a file without letting it do anything."""
    t = page.texts
    ending = ending_of(entry.path)
    try:
        if _kind(entry):
            return _picture(page, found, entry)
        if ending in _PLAYED:
            return Preview(_PLAYED[ending])
        if ending in _TEXTS or (entry.size or 0) <= _BEGINNING:
            return _text(page, found, entry, ending)
    except (MunimentError, OSError) as error:
        return Preview("none", why=reason_of(error))
    return Preview("none", why=str(t("There is no preview of this kind of file.")))


def _picture(page: Page, found: Instance, entry: Entry) -> Preview:
    t = page.texts
    if ending_of(entry.path) == "svg":
        return _as_it_is(page, found, entry)
    try:
        with _fetched(page).open(found, entry) as place:
            pages, width, height = page.request.app.state.previews.look(place)
    except (ExtraMissing, ImagingLibraryMissing) as error:
        return _as_it_is(page, found, entry) if _kind(entry) in _SENT else Preview("none", why=str(error))
    except BadScan as error:
        return Preview("none", why=str(t("It cannot be shown as a picture: {reason}", reason=reason_of(error))))
    large = _kind(entry) in _TILED and max(width, height) > SIDE
    size = (width, height) if large else (0, 0)
    return Preview("picture", pages=pages, page=min(page_number(page), pages), width=size[0], height=size[1])


def _as_it_is(page: Page, found: Instance, entry: Entry) -> Preview:
    """A picture whose own bytes a browser is given, after a look at how large they say that it is."""
    t = page.texts
    size = entry.size or 0
    if ending_of(entry.path) == "svg":
        if size <= _LARGEST_DRAWING:
            return Preview("picture")
        return Preview("none", why=str(t("The picture is too large to be shown here.")))
    with found.open(entry.path, verify=False) as file:
        width, height = picture_size(file.read(_BEGINNING))
    if not width or not height:
        return Preview("none", why=str(t("It is called a picture, and its first bytes are not those of one.")))
    if size > _LARGEST_PICTURE or width * height > _MOST_PIXELS:
        return Preview("none", why=str(t("The picture is too large to be shown here.")))
    return Preview("picture")


def _text(page: Page, found: Instance, entry: Entry, ending: str) -> Preview:
    whole = (entry.size or 0) <= _BEGINNING
    with found.open(entry.path, verify=whole) as file:
        data = file.read(_BEGINNING)
        if whole:
            file.read(1)  # to its end, where the digest is compared
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Preview("none", why=str(page.texts("These bytes are no text.")))
    text = _decoded(data)
    if ending in {"csv", "tsv"}:
        table = _table(text, "\t" if ending == "tsv" else None, whole=whole)
        if table is not None:
            return Preview("table", table=table, cut=not whole or text.count("\n") > _ROWS)
    if ending in {"json", "geojson", "jsonld"} and whole:
        with contextlib.suppress(ValueError, RecursionError):
            text = _indented(json.loads(text))
    return Preview("text", text=text, cut=not whole)


def _indented(document: object) -> str:
    """JSON a line each, to the length that is shown: what is deep grows a thousandfold by being indented."""
    parts: list[str] = []
    size = 0
    for part in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(document):
        parts.append(part)
        size += len(part)
        if size > _BEGINNING:
            break
    return "".join(parts)[:_BEGINNING]


def _table(text: str, delimiter: str | None, *, whole: bool) -> list[list[str]] | None:
    first = text.partition("\n")[0]
    chosen = delimiter or max(",;\t|", key=first.count)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text if whole else text.rpartition("\n")[0]), delimiter=chosen):
            rows.append([cell[:500] for cell in row[:_CELLS]])
            if len(rows) > _ROWS:
                break
    except csv.Error:
        return None
    return rows or None


def _decoded(data: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Cut within a letter at the end of what was read is no other encoding.
        return data.decode("utf-8", "replace") if error.start > len(data) - 4 else data.decode("cp1252", "replace")


def _kind(entry: Entry) -> str:
    return PICTURE_TYPES.get(ending_of(entry.path), "")


def _digest(entry: Entry) -> str:
    return entry.digests.get("sha512") or entry.digests.get("sha256") or ""
