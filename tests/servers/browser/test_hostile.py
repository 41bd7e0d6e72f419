"""What means harm or is far too large: nothing runs, nothing is lost, and the page says what it does not show."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator

import pytest

from muniment.archive import Archive
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

MANY = 10_000
LONG = "A title that never ends " * 400


def _bomb(width: int, height: int) -> bytes:
    """A small PNG that is a picture of a great many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("hostile") / "archive"
    key = make_archive(place, redundancy=0)
    folder = place.parent / "many"
    folder.mkdir()
    for number in range(MANY):
        (folder / f"{number:05}.txt").write_bytes(b"%d" % number)
    large = place.parent / "large.json"
    with large.open("wb") as file:
        file.write(b'{"a": [')
        for _ in range(50):
            file.write(b'"<script>alert(1)</script>",' * 37_000)
        file.write(b"0]}")
    with Archive(place) as archive, archive.new("hostile", "a/b") as made:
        made.metadata.update(
            {"title": LONG, "deep": {"a": {"b": {"c": {"d": {"e": "<i>deep</i>"}}}}}, "list": ["x"] * 500}
        )
        made.add(folder, "many")
        made.add(large, "large.json")
        made.add(_bomb(60_000, 60_000), "bomb.png")
        made.add(b"\x89PNG\r\n\x1a\n<script>alert(1)</script>", "no-picture.png")
        made.add(b"[" * 100_000, "deep.json")
        made.add(b'"' + b"x" * 200_000, "unclosed.csv")
        made.add(b"a\0b" * 1000, "bytes.txt")
        made.add("".join(map(chr, range(0x2000, 0x2070))).encode(), "marks.txt")
    with serving(place, key=key, serve_work=False) as running:
        yield running


@pytest.fixture(scope="module")
def reader(hostile: Running) -> Visitor:
    return Visitor(hostile.url).sign_in(hostile.key)


def test_a_folder_of_ten_thousand_files_is_shown_a_page_at_a_time(reader: Visitor) -> None:
    path = "/resources/hostile?project=a/b&folder=many"
    seen: list[str] = []
    for _ in range(3):
        page = reader.get(path)
        assert len(page.body) < 200_000
        rows = [link.attributes["href"] for link in page.page.every("a") if "/files/many/" in link.attributes["href"]]
        assert len(rows) == 200
        seen += rows
        path = next(link for link in page.page.every("a") if "after=" in link.attributes["href"]).attributes["href"]
    assert len(set(seen)) == 600
    filtered = reader.get("/resources/hostile?project=a/b&folder=many&filter=0777")
    found = [link for link in filtered.page.every("a") if "/files/many/" in link.attributes["href"]]
    assert len(found) == 11
    assert "07770.txt" in filtered.words


def test_a_document_of_fifty_megabytes_is_not_taken_apart(reader: Visitor) -> None:
    page = reader.get("/resources/hostile/files/large.json?project=a/b")
    assert page.status == 200
    assert "Only the beginning is shown." in page.words
    assert len(page.body) < 1_000_000
    assert "<script>alert" not in page.text


@pytest.mark.parametrize(("name", "why"), [("bomb.png", "60000 by 60000 pixels"), ("no-picture.png", "png")])
def test_a_picture_that_is_none_or_too_many_pixels_is_not_offered(reader: Visitor, name: str, why: str) -> None:
    page = reader.get(f"/resources/hostile/files/{name}?project=a/b")
    assert list(page.page.every("img")) == []
    said = page.words.partition("It cannot be shown as a picture: ")[2].partition("Digests")[0]
    assert why in said
    assert reader.get(f"/resources/hostile/picture/{name}?project=a/b").status == 404


@pytest.mark.parametrize("name", ["deep.json", "unclosed.csv", "bytes.txt", "marks.txt"])
def test_a_file_that_cannot_be_previewed_as_it_claims_is_shown_some_other_way(reader: Visitor, name: str) -> None:
    page = reader.get(f"/resources/hostile/files/{name}?project=a/b")
    assert page.status == 200
    assert "\u202e" not in page.text
    assert "\u2066" not in page.text


def test_a_title_of_ten_kilobytes_breaks_no_page(reader: Visitor) -> None:
    for path in ("/", "/find", "/projects/a/b", "/resources/hostile?project=a/b"):
        page = reader.get(path)
        assert page.status == 200
        assert len(page.body) < 120_000, path


@pytest.mark.parametrize(
    "path",
    [
        "/find?q=" + "%00%0a%e2%80%ae" * 50,
        "/find?q=" + "x" * 5000,
        "/find?q=%22%27%28%29%2A%3A%5E+OR+NEAR",
        "/find?after=nonsense%20x",
        "/find?kind=file&q=a&after=9%20b",
        "/find?project=..%2F..",
        "/events?before=99999999999",
        "/events?before=-1",
        "/events/999999999999",
        "/events/-1",
        "/resources/%FF%FE",
        "/resources/..%2F..%2Fetc%2Fpasswd",
        "/resources/hostile?instance=99999999999999999999",
        "/resources/hostile?instance=%00",
        "/resources/hostile/files/..%2F..%2Fsecret?project=a/b",
        "/resources/hostile/files/%2e%2e/x?project=a/b",
        "/resources/hostile/changes?from=x&to=y&project=a/b",
        "/resources/hostile?folder=%2F..%2F..&project=a/b",
        "/projects/a%2Fb/c",
        "/projects/a/%0a",
        "/jobs?after=none&state=none",
        "/jobs/%00",
        "/fixity/2026-02-31",
        "/portals/%2e%2e/broken",
        "/admin/access?address=nonsense",
        "/admin/access?who=%00",
        "/deposit?on=none",
        "/deposit/none",
        "/deposit/source?kind=%00",
        "/copies/stores/%0a",
        "/containers/%00",
        "/sign-in/%2F%2Fevil.example",
    ],
)
def test_no_address_whatever_it_holds_makes_the_server_fail(reader: Visitor, path: str) -> None:
    answer = reader.get(path)
    assert answer.status < 500, answer.text[:2000]
    if answer.headers["content-type"].startswith("text/html"):
        assert "\u202e" not in answer.page.the("body").text  # in a field it is what the reader wrote


def test_a_deposit_of_many_files_shows_totals_and_a_few(reader: Visitor) -> None:
    begun = reader.post("/deposit", {"project": "rivermark/crowd", "id": "crowd"}).headers["location"]
    many = [{"path": f"sheets/{number:04}.txt", "size": 1} for number in range(1200)]
    many.append({"path": "sheets/AUX.txt", "size": 1})
    body = json.dumps(many).encode() + b"\n" + b"x" * len(many)
    transaction = begun.rpartition("/")[2]
    sent = reader.ask(
        "POST",
        f"/archive/v1/transactions/{transaction}/files",
        body,
        Content_Type="application/vnd.muniment.files",
        Sec_Fetch_Site="same-origin",
    )
    assert sent.status < 300, sent.text
    page = reader.get(begun)
    assert page.heading == "1,201 new files are here, not committed yet"
    assert "1,151 more are here." in page.words
    assert "One name will not survive everywhere" in page.words
    assert "AUX.txt" in page.words
    assert "Commit 1,201 files" in page.words
    assert len(page.body) < 100_000
    assert reader.post(f"{begun}/discard", {"sure": "yes"}).status == 303
