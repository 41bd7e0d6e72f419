"""What holds for every page: its policy, its frame, and that every link on it leads somewhere."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from muniment.archive import Archive
from tests.servers.browser.conftest import HOSTILE_TITLE
from tests.servers.browser.visiting import Answer, Visitor
from tests.servers.native.running import Running, serving

_MOST = 90
_ELSEWHERE = ("/archive/", "/-/assets/", "/sign-out", "/docs/")  # `test_reference` follows those of the last


@pytest.fixture(scope="module")
def pages(keeper: Visitor) -> dict[str, Answer]:
    """Every page that links lead to from the first one, as far as they are asked for."""
    found: dict[str, Answer] = {}
    waiting = ["/"]
    while waiting and len(found) < _MOST:
        path = waiting.pop(0)
        if path in found:
            continue
        answer = found[path] = keeper.get(path)
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        for link in answer.page.every("a"):
            parts = urlsplit(link.attributes.get("href", ""))
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            if parts.path.startswith("/") and not parts.path.startswith(_ELSEWHERE):
                waiting.append(target)
    assert len(found) > 20
    return found


@pytest.fixture(scope="module")
def shown(pages: dict[str, Answer]) -> dict[str, Answer]:
    return {path: each for path, each in pages.items() if each.headers["content-type"].startswith("text/html")}


def test_every_link_leads_somewhere(pages: dict[str, Answer]) -> None:
    assert {path: each.status for path, each in pages.items() if each.status != 200} == {}


def test_a_page_has_one_heading_a_title_a_language_and_no_id_twice(shown: dict[str, Answer]) -> None:
    for path, each in shown.items():
        page = each.page
        assert each.heading, path
        assert page.the("title").text.strip(), path
        assert page.the("html").attributes["lang"] == "en", path
        ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
        assert len(ids) == len(set(ids)), path


def test_nothing_on_a_page_needs_more_than_the_policy_allows(shown: dict[str, Answer]) -> None:
    for path, each in shown.items():
        for element in each.page.elements:
            names = element.attributes
            assert "style" not in names, (path, element.name)
            assert not [name for name in names if name.startswith("on")], (path, names)
            assert element.name != "style", path
            assert element.name != "script" or (names.get("src", "").startswith("/-/assets/") and not element.text), (
                path
            )
            for name in ("href", "src", "action"):
                assert not names.get(name, "").strip().lower().startswith(("javascript:", "data:", "//", "http")), path


def test_the_policy_is_on_every_answer(keeper: Visitor, shown: dict[str, Answer]) -> None:
    for path, each in shown.items():
        policy = each.headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "script-src 'self'" in policy, path
        assert "unsafe" not in policy, path
        assert "require-trusted-types-for 'script'" in policy, path
        assert each.headers["cross-origin-opener-policy"] == "same-origin", path
    for path in ("/nothing", "/find?format=json", "/archive/v1", "/health/live", "/sign-in", "/-/assets/x/none.js"):
        assert "default-src 'none'" in keeper.get(path).headers["content-security-policy"], path


def test_every_field_has_a_label_and_every_button_a_word(shown: dict[str, Answer]) -> None:
    for path, each in shown.items():
        page = each.page
        labelled = {label.attributes.get("for") for label in page.every("label")}
        within = {id(field) for label in page.every("label") for field in _inside(label)}
        for field in page.elements:
            if field.name not in {"input", "select", "textarea"} or field.attributes.get("type") == "hidden":
                continue
            named = field.attributes.get("aria-label") or field.attributes.get("id") in labelled or id(field) in within
            assert named, (path, field.attributes)
        for button in page.every("button"):
            assert button.text.strip() or button.attributes.get("aria-label"), path


def test_a_page_weighs_at_most_40_kilobytes_with_its_style_and_scripts(
    keeper: Visitor, shown: dict[str, Answer]
) -> None:
    home = shown["/"].page
    assets = [link.attributes["href"] for link in home.every("link")] + [
        script.attributes["src"] for script in home.every("script")
    ]
    shared = sum(len(gzip.compress(keeper.get(place).body)) for place in assets)
    for path, each in shown.items():
        assert shared + len(gzip.compress(each.body)) < 40_000, path


def test_titles_with_markup_are_text_everywhere(shown: dict[str, Answer]) -> None:
    seen = 0
    for path, each in shown.items():
        for bad in ("<script>alert", "<img src=x", "<b>bold", "<i>&"):
            assert bad not in each.text, path
        seen += HOSTILE_TITLE.partition(" ")[0] in each.page.the("body").text
    assert seen > 5


def test_marks_of_direction_and_controls_are_shown_as_boxes(shown: dict[str, Answer]) -> None:
    for path, each in shown.items():
        body = each.page.the("body").text
        assert "\u202e" not in body, path
    assert any("LF" in each.page.the("body").text and "RLO" in each.page.the("body").text for each in shown.values())


def test_assets_are_kept_for_ever_and_change_their_address(keeper: Visitor) -> None:
    style = next(keeper.get("/").page.every("link")).attributes["href"]
    answer = keeper.get(style)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    _, _, _, version, name = style.split("/", 4)
    assert "immutable" not in keeper.get(f"/-/assets/{'0' * len(version)}/{name}").headers["cache-control"]
    assert keeper.get("/-/assets/x/../page.py").status == 404


def test_a_program_gets_problem_documents_and_the_native_interface_no_pages(site: Running, keeper: Visitor) -> None:
    missing = keeper.get("/archive/v1/resources/none")
    assert missing.headers["content-type"] == "application/problem+json"
    plain = Visitor(site.url)
    plain.headers["Accept"] = "*/*"
    assert plain.get("/resources/none").headers["content-type"] == "application/problem+json"
    assert plain.get("/").status == 401
    page = keeper.get("/resources/none")
    assert page.status == 404
    assert "There is nothing here" in page.heading
    assert page.headers["x-request-id"] in page.words


def test_lists_are_csv_and_json_at_their_own_address(keeper: Visitor) -> None:
    found = json.loads(keeper.get("/find?q=harbour", Accept="application/json").body)
    assert [each["id"] for each in found["find"]] == ["harbour"]
    assert keeper.get("/find?q=harbour&format=csv").text.splitlines()[0].startswith('"project","id","title"')
    events = json.loads(keeper.get("/events?format=json").body)["events"]
    assert events[0]["event"] == "ingestion"
    assert [each["seq"] for each in events] == sorted((each["seq"] for each in events), reverse=True)


def test_a_page_is_in_the_readers_language(site: Running, keeper: Visitor) -> None:
    german = Visitor(site.url, language="de-AT,de;q=0.9,en;q=0.5")
    german.cookies = dict(keeper.cookies)
    home = german.get("/")
    assert home.page.the("html").attributes["lang"] == "de"
    assert "Ereignisse" in home.page.the("body").text
    other = Visitor(site.url, language="fr,x;q=nonsense,en;q=0.1")
    assert other.get("/sign-in").heading == "Who are you?"


def test_a_server_without_pages_answers_programs_as_before(tmp_path: Path) -> None:
    with serving(tmp_path / "archive", serve_pages=False) as running:
        visitor = Visitor(running.url)
        for path in ("/", "/find", "/sign-in"):
            answer = visitor.get(path)
            assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json"), path
        assert visitor.get("/health/live").status == 200


def test_what_a_browser_says_the_policy_refused_is_counted(keeper: Visitor) -> None:
    sent = keeper.ask("POST", "/-/reports", b'{"csp-report": {}}', Content_Type="application/csp-report")
    assert sent.status == 204
    assert "muniment_page_policy_reports_total" in keeper.get("/metrics").text


def _inside(element: object) -> list[object]:
    inside = getattr(element, "inside", [])
    return [*inside, *(found for each in inside for found in _inside(each))]


def test_a_page_of_an_empty_archive_leads_to_what_puts_something_there(tmp_path: Path) -> None:
    with serving(tmp_path / "archive", serve_work=False) as running:
        keeper = Visitor(running.url).sign_in(running.key)
        reader = Visitor(running.url).sign_in(running.new_key("reader", _={"resources/read"}))
        for path in ("/", "/find", "/projects"):
            assert 'href="/deposit"' in keeper.get(path).text.partition("<main")[2], path
            assert 'href="/deposit"' not in reader.get(path).text, path


def test_a_page_of_two_hundred_files_weighs_no_more_than_40_kilobytes_nor_does_one_of_a_folder_of_thousands(
    keeper: Visitor, site: Running
) -> None:
    with Archive(site.place) as archive, archive.new("heavy", "rivermark/heavy") as made:
        for number in range(2000):
            # Names and digests that nothing makes smaller, as those of scans are.
            folder = "sheets" if number % 10 else "plans"
            made.add(b"%d\n" % number, f"{folder}/{hashlib.sha256(b'%d' % number).hexdigest()[:24]}.tif")
    page = "/resources/heavy?project=rivermark/heavy"
    style = keeper.get("/").page
    places = [link.attributes["href"] for link in style.every("link")]
    folder = places[0].rpartition("/")[0]
    scripts = [f"{folder}/{name}.js" for name in ("muniment", "tree", "part", "parts", "watching", "copy")]
    shared = sum(len(gzip.compress(keeper.get(place).body)) for place in (*places, *scripts))
    for rest in ("&folder=plans", "&folder=sheets", "&filter=a", ""):
        answer = keeper.get(page + rest)
        assert answer.status == 200
        assert shared + len(gzip.compress(answer.body)) < 40_000, (rest, shared, len(gzip.compress(answer.body)))
    assert "A page of 200" in keeper.get(f"{page}&folder=sheets").words
