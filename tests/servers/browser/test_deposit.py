"""Putting things in with a browser: without scripts, in pieces, cut, by others, and after a session has ended."""

from __future__ import annotations

import base64
import hashlib
import json
import os

import pytest

from tests.servers.browser.visiting import Answer, Visitor
from tests.servers.native.running import Running, make_key
from tests.timing import eventually

BOUNDARY = "a-boundary"


def _begin(who: Visitor, **fields: str) -> str:
    """A new deposit's path."""
    begun = who.post("/deposit", {"project": "rivermark/new", **fields})
    assert begun.status == 303, begun.words
    return begun.headers["location"]


def _send(who: Visitor, path: str, files: dict[str, bytes]) -> Answer:
    """What a browser sends of a form with files."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files.items()
    ]
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return who.ask("POST", f"{path}/files", body, Content_Type=kind, Sec_Fetch_Site="same-origin")


def test_files_are_deposited_without_scripts_and_a_receipt_names_their_digests(keeper: Visitor) -> None:
    path = _begin(keeper, id="plain", title="A <plain> deposit", message="why not")
    assert _send(keeper, path, {"a.txt": b"hello\n", "folder/b.bin": b"\x00\x01"}).status == 303
    page = keeper.get(path)
    assert page.heading == "2 new files are here, not committed yet"
    assert "A <plain> deposit" in page.words
    done = keeper.post(f"{path}/commit")
    assert done.status == 303
    receipt = keeper.get(done.headers["location"])
    assert receipt.heading == "2 files are in the archive"
    assert hashlib.sha256(b"hello\n").hexdigest() in receipt.words
    record = json.loads(keeper.get(f"{done.headers['location']}&format=json").body)
    assert {each["path"] for each in record["files"]} == {"a.txt", "folder/b.bin"}
    assert "A <plain> deposit" in keeper.get("/resources/plain").heading
    # Who comes back to its address, or sends it a second time, is led to the receipt.
    assert keeper.get(path).heading == "2 files are in the archive"
    assert keeper.post(f"{path}/commit").headers["location"] == done.headers["location"]


def test_a_deposit_that_is_no_longer_open_says_what_may_have_become_of_it(keeper: Visitor) -> None:
    path = _begin(keeper, id="left")
    assert keeper.post(f"{path}/discard", {"sure": "yes"}).status == 303
    page = keeper.get(path)
    assert page.status == 404
    assert "It was committed, given up, or nothing was done to it for so long that it ended." in page.words
    assert "/deposit" in [link.attributes["href"] for link in page.page.every("a") if "wait for you" in link.text]


def test_nothing_is_there_before_the_commit_and_nothing_after_giving_up(keeper: Visitor) -> None:
    path = _begin(keeper, id="given-up")
    _send(keeper, path, {"a.txt": b"x"})
    assert keeper.get("/resources/given-up").status == 404
    assert keeper.post(f"{path}/discard").status == 400  # not confirmed
    assert keeper.post(f"{path}/discard", {"sure": "yes"}).status == 303
    gone = keeper.get(path)
    assert gone.status == 404
    assert keeper.get("/resources/given-up").status == 404


def test_a_new_instance_keeps_what_is_not_replaced(keeper: Visitor) -> None:
    path = _begin(keeper, id="grows", title="Grows")
    _send(keeper, path, {"a.txt": b"one", "b.txt": b"two"})
    keeper.post(f"{path}/commit")
    begun = keeper.post("/deposit", {"on": "grows", "project": "rivermark/new", "title": "Grown"})
    again = begun.headers["location"]
    _send(keeper, again, {"a.txt": b"other"})
    assert keeper.get(again).heading == "One new file is here, not committed yet"
    keeper.post(f"{again}/commit")
    changes = keeper.get("/resources/grows/changes?project=rivermark/new")
    assert changes.heading == "Instance 2 against 1: one changed"
    assert "Grown" in changes.words
    lines = keeper.get("/resources/grows/changes?project=rivermark/new&path=a.txt")
    assert "-one" in lines.words
    assert "+other" in lines.words


def test_a_large_file_comes_in_pieces_and_goes_on_after_a_cut_session(site: Running) -> None:
    who = Visitor(site.url).sign_in(site.key)
    path = _begin(who, id="large")
    native = f"/archive/v1/transactions/{path.rpartition('/')[2]}"
    data = os.urandom(300_000)
    ours = {"Sec_Fetch_Site": "same-origin"}
    asked = json.dumps({"path": "large.bin", "size": len(data)}).encode()
    begun = who.ask("POST", f"{native}/uploads", asked, Content_Type="application/json", **ours)
    upload = f"{native}/uploads/{json.loads(begun.body)['upload']}"

    def piece(start: int, stop: int, claimed: bytes | None = None) -> Answer:
        sent = data[start:stop]
        digest = base64.b64encode(hashlib.sha256(sent if claimed is None else claimed).digest()).decode()
        headers = {"Upload_Offset": str(start), "Content_Digest": f"sha-256=:{digest}:", **ours}
        return who.ask("PATCH", upload, sent, **headers)

    assert piece(0, 100_000).headers["upload-offset"] == "100000"
    wrong = piece(100_000, 200_000, claimed=b"something else")
    assert wrong.status == 422
    assert who.ask("HEAD", upload).headers["upload-offset"] == "100000"
    cookies = who.cookies
    who.post("/sign-out")
    who.cookies = cookies
    assert piece(100_000, 200_000).status == 401
    assert "Sign in" in who.post(f"{path}/commit").heading
    who.cookies = {}
    who.sign_in(site.key)
    assert piece(100_000, 200_000).headers["upload-offset"] == "200000"
    assert piece(200_000, 300_000).headers["upload-offset"] == "300000"
    assert who.ask("POST", upload, b"{}", Content_Type="application/json", **ours).status == 201
    receipt = who.get(who.post(f"{path}/commit").headers["location"])
    assert hashlib.sha256(data).hexdigest() in receipt.words


def test_an_unfinished_deposit_is_listed_for_who_began_it_alone(site: Running, keeper: Visitor) -> None:
    path = _begin(keeper, id="unfinished")
    listed = [link.attributes["href"] for link in keeper.get("/deposit").page.every("a")]
    assert path in listed
    key = make_key(site.place, "other", {"/rivermark": {"resources/write", "resources/read"}})
    other = Visitor(site.url)
    eventually(lambda: other.post("/sign-in", {"key": key, "next": "/"}).status == 303, every=1)
    assert path not in [link.attributes["href"] for link in other.get("/deposit").page.every("a")]
    assert other.get(path).status == 403
    assert other.post(f"{path}/commit").status == 403


def test_names_that_will_not_survive_everywhere_are_pointed_out(keeper: Visitor) -> None:
    path = _begin(keeper, id="names")
    _send(keeper, path, {"CON": b"1", "Same.txt": b"2", "same.TXT": b"3", "ends ": b"4"})
    page = keeper.get(path)
    assert "names will not survive everywhere" in page.words
    assert "device on Windows" in page.words
    assert "SP" in page.words


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../b", "", "a\\..\\b"])
def test_a_name_that_leads_out_is_refused_with_a_message(keeper: Visitor, name: str) -> None:
    path = _begin(keeper)
    answer = _send(keeper, path, {name: b"x"})
    assert answer.status in {303, 400, 422}
    files = keeper.get(path).words
    assert ".." not in files or answer.status != 303 or name == "a\\..\\b"


def test_an_id_that_is_taken_or_cannot_be_is_said_so(keeper: Visitor) -> None:
    path = _begin(keeper, id="taken")
    _send(keeper, path, {"a": b"x"})
    keeper.post(f"{path}/commit")
    again = keeper.post("/deposit", {"project": "rivermark/new", "id": "taken"})
    assert again.status == 409
    assert keeper.post("/deposit", {"project": "no project at all"}).status == 400
    assert keeper.post("/deposit", {"project": "rivermark/new", "id": "a\nb"}).status == 422


def test_chosen_files_come_as_a_tar_or_a_zip_that_can_be_taken_up_again(keeper: Visitor) -> None:
    import io
    import tarfile
    import zipfile

    where = "/resources/harbour/chosen?project=rivermark/maps&path=letters&path=soundings.csv"
    tar = keeper.get(where)
    names = {"letters/greeting.txt", "letters/again.txt", "soundings.csv"}
    with tarfile.open(fileobj=io.BytesIO(tar.body)) as found:
        assert set(found.getnames()) == names
    assert tar.headers["content-length"] == str(len(tar.body))
    rest = keeper.get(where, Range="bytes=1000-")
    assert (rest.status, rest.body) == (206, tar.body[1000:])
    with zipfile.ZipFile(io.BytesIO(keeper.get(f"{where}&form=zip").body)) as packed:
        assert set(packed.namelist()) == names
        assert packed.testzip() is None
    assert keeper.get("/resources/harbour/chosen?project=rivermark/maps").status == 400
    assert keeper.get("/resources/harbour/chosen?project=rivermark/maps&path=../..").status == 422


def test_differences_name_what_was_added_left_out_and_changed(keeper: Visitor) -> None:
    page = keeper.get("/resources/harbour/changes?project=rivermark/maps")
    assert page.heading == "Instance 2 against 1: one file added, one left out, one changed"
    listed = json.loads(keeper.get("/resources/harbour/changes?project=rivermark/maps&format=json").body)["changes"]
    assert {(each["change"], each["path"]) for each in listed} == {
        ("added", "letters/again.txt"),
        ("removed", "scans/0001.tif"),
        ("changed", "soundings.csv"),
    }


def test_a_table_that_a_spreadsheet_would_run_is_text(keeper: Visitor) -> None:
    page = keeper.get("/resources/harbour/files/soundings.csv?project=rivermark/maps&instance=1")
    assert "=HYPERLINK(1)" in page.words


def test_uploaded_pages_and_drawings_never_run(keeper: Visitor) -> None:
    for name in ("page.html", "drawing.svg"):
        native = keeper.get(f"/archive/v1/resources/a%2Fb%20%3Ci%3E%26%E2%80%AE/instances/1/files/{name}")
        assert native.headers["content-type"] == "application/octet-stream"
        assert native.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in native.headers["content-security-policy"]
    drawing = keeper.get("/resources/a%2Fb%20%3Ci%3E%26%E2%80%AE/picture/drawing.svg")
    assert drawing.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in drawing.headers["content-security-policy"]
    assert "default-src 'none'" in drawing.headers["content-security-policy"]
    page = keeper.get("/resources/a%2Fb%20%3Ci%3E%26%E2%80%AE/files/page.html")
    assert "<script>alert(1)</script>" in page.words
    assert "<script>alert(1)" not in page.text
