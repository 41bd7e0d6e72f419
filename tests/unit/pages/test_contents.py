"""The index of contents: what finds things, derived from the log and the files."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment.archive import Archive, ContentIndex, FacetQuery
from muniment.content import Hashers
from muniment.server.pages.find import look


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.init(tmp_path / "archive", workers=0, parity=False, mode="dynamic") as made:
        yield made


def _put(archive: Archive, id: str, files: dict[str, bytes], title: str = "", project: str = "a/b") -> None:
    with archive.new(id, project) as made:
        made.metadata.update({"title": title} if title else {})
        for path, data in files.items():
            made.add(data, path)


def _caught_up(archive: Archive) -> ContentIndex:
    index = ContentIndex(archive)
    while index.follow():
        pass
    return index


def _digest(data: bytes, algorithm: str = "sha256") -> str:
    hashers = Hashers([algorithm])
    hashers.update(data)
    return hashers.values()[algorithm]


def test_a_title_an_id_a_file_name_and_a_digest_lead_to_a_resource(archive: Archive) -> None:
    _put(archive, "map-1", {"scans/Sheet_17.tif": b"seventeen"}, "Harbour survey, Überlingen")
    _put(archive, "map-2", {"b.txt": b"else"}, "Something else")
    index = _caught_up(archive)
    for asked in ("harbour", "uberlingen surv", "map-1", "sheet_17", "Sheet_17.tif", _digest(b"seventeen"), "MAP 1"):
        assert [each.summary.id for each in look(index, asked, None).found] == ["map-1"], asked
    for algorithm in ("sha512", "sha256"):
        assert look(index, f"urn:{algorithm}:{_digest(b'seventeen', algorithm)}", None).read_as == "digest"
    assert look(index, "nothing of the kind", None).found == []
    assert look(index, '"; DROP TABLE files; --', None).found == []
    index.close()


def test_a_day_and_a_month_lead_to_what_was_put_in_then(archive: Archive) -> None:
    _put(archive, "one", {"a.txt": b"x"}, "A title")
    index = _caught_up(archive)
    day = archive.instance("one", project="a/b").created[:10]
    for asked in (day, day[:7]):
        found = look(index, asked, None)
        assert (found.read_as, [each.summary.id for each in found.found]) == ("date", ["one"])
    assert look(index, "1999-12", None).found == []
    assert look(index, day, ["a/none"]).found == []
    index.close()


def test_a_content_is_found_in_every_instance_that_holds_it(archive: Archive) -> None:
    _put(archive, "one", {"a.txt": b"same", "b.txt": b"other"})
    _put(archive, "two", {"copy.txt": b"same"})
    for number in range(3):
        with archive.get("one", "a", project="a/b") as made:
            made.replace(b"other %d" % number, "b.txt")
    with archive.get("one", "a", project="a/b") as made:
        made.delete("a.txt")
    index = _caught_up(archive)
    found = [(each.summary.id, each.path, each.first, each.last) for each in index.holding(_digest(b"same"), None, 10)]
    assert found == [("one", "a.txt", 1, 4), ("two", "copy.txt", 1, 1)]
    assert [each.last for each in index.holding(_digest(b"other 1"), None, 10)] == [3]
    index.close()


def test_only_what_may_be_read_is_found_and_counted(archive: Archive) -> None:
    _put(archive, "seen", {"a.txt": b"same"}, "A title", project="a/seen")
    _put(archive, "hidden", {"a.txt": b"same"}, "A title", project="a/hidden")
    index = _caught_up(archive)
    mine = ["a/seen"]
    for asked in ("title", "a.txt", _digest(b"same"), ""):
        assert {each.summary.project for each in look(index, asked, mine).found} == {"a/seen"}, asked
    assert look(index, "hidden", mine).found == []
    assert index.totals(mine).resources == 1
    assert index.totals([]).resources == 0
    index.close()


def test_what_was_purged_is_found_no_more(archive: Archive) -> None:
    _put(archive, "gone", {"a.txt": b"x"}, "A title")
    index = _caught_up(archive)
    assert look(index, "title", None).found
    archive.purge("gone", "a mistake", "a/b")
    index.follow()
    for asked in ("title", "gone", "a.txt", _digest(b"x"), ""):
        assert look(index, asked, None).found == [], asked
    assert index.totals().files == 0
    index.close()


def test_the_index_is_made_again_from_the_log_when_it_was_deleted_or_damaged(archive: Archive) -> None:
    _put(archive, "one", {"a.txt": b"x"}, "A title")
    index = _caught_up(archive)
    before = index.totals(), index.seen
    index.close()
    place = archive.path / "contents.db"
    place.write_bytes(b"this is no database at all, and long enough to be looked at" * 100)
    again = _caught_up(archive)
    assert (again.totals(), again.seen) == before
    again.close()


def test_nobody_who_looks_waits_while_something_large_is_taken_in(archive: Archive) -> None:
    _put(archive, "one", {"a.txt": b"x"}, "A title")
    index = _caught_up(archive)
    with index._lock:
        index._open().execute("BEGIN IMMEDIATE")
        index._open().execute("DELETE FROM resources")
        with ThreadPoolExecutor(1) as other:
            assert other.submit(index.totals).result(20).resources == 1
        index._open().execute("ROLLBACK")
    index.close()


def test_an_audit_knows_the_index_for_its_own_file(archive: Archive) -> None:
    _put(archive, "one", {"a.txt": b"x"})
    index = _caught_up(archive)
    assert [finding.where for finding in archive.audit() if finding.failed] == []
    index.close()


def test_pages_of_files_and_of_resources_go_on_without_a_gap(archive: Archive) -> None:
    for number in range(4):
        _put(archive, f"r{number}", {f"same-{each:03}.txt": b"%d" % number for each in range(30)})
    index = _caught_up(archive)
    seen, after = [], ""
    for _ in range(4):
        answer = look(index, "same-", None, "file", after)
        seen += [(each.summary.id, each.path) for each in answer.found]
        after = answer.following
        if not after:
            break
    assert len(seen) == len(set(seen)) == 120
    index.close()


def test_the_last_check_of_everything_and_of_one_are_known(archive: Archive) -> None:
    _put(archive, "one", {"a.txt": b"x" * 100})
    list(archive.audit())
    instance = archive.instance("one", project="a/b")
    place = instance.location("a.txt")
    place.chmod(0o600)
    place.write_bytes(b"y" * 100)
    assert list(archive.audit("one", project="a/b"))
    index = _caught_up(archive)
    whole, one = index.last_check(), index.last_check("a/b", "one")
    assert whole is not None
    assert (whole.outcome, whole.errors) == ("success", 0)
    assert one is not None
    assert one.outcome == "failure"
    assert one.errors > 0
    assert [each.id for each in index.last_checks(failed=True)] == ["one"]
    index.close()


def test_what_is_found_is_counted_by_project_and_year(archive: Archive) -> None:
    for number in range(3):
        _put(archive, f"one-{number}", {"a.txt": b"x"}, "Harbour survey", "a/b")
    _put(archive, "other", {"a.txt": b"x"}, "Harbour minutes", "c/d")
    index = _caught_up(archive)
    year = archive.instance("other", project="c/d").created[:4]
    facets = index.facets("harbour", None)
    assert (facets.projects, facets.years, facets.capped) == ([("a/b", 3), ("c/d", 1)], [(year, 4)], False)
    assert index.facets("harbour", ["c/d"]).projects == [("c/d", 1)]
    assert index.facets("", None).projects == [("a/b", 3), ("c/d", 1)]
    assert index.facets("...", None).projects == []
    assert index.facets("harbour", None, FacetQuery("1999")).years == []
    assert look(index, "harbour", None, only=FacetQuery("1999")).found == []
    assert len(look(index, "harbour", None, only=FacetQuery(year)).found) == 4
    assert [each.summary.id for each in look(index, "", ["c/d"], only=FacetQuery(year)).found] == ["other"]
    index.close()


def test_a_search_is_kept_to_a_type_a_source_and_a_state(archive: Archive) -> None:
    _put(archive, "scans", {"1.tif": b"1", "2.tif": b"2", "README": b"3"}, "Harbour scans", "a/b")
    _put(archive, "table", {"depths.csv": b"1"}, "Harbour depths", "c/d")
    with archive.new("fetched", "c/d") as made:
        made.metadata.update({"title": "Harbour code", "fetched": {"sources": [{"service": "github"}]}})
        made.add(b"1", "depths.csv")
    file = archive.instance("table", project="c/d").location("depths.csv")
    file.chmod(0o600)
    file.write_bytes(b"2")
    assert list(archive.audit("table", project="c/d"))
    index = _caught_up(archive)
    for text, places in (("harbour", None), ("", None), ("harbour", ["a/b", "c/d"]), ("", ["a/b", "c/d"])):
        facets = index.facets(text, places)
        assert facets.types == [("text/csv", 2), ("image/tiff", 1), ("other", 1)]
        assert facets.sources == [("github", 1)]
        assert facets.states == [("damaged", 1)]
    assert index.facets("", ["a/b"]).types == [("image/tiff", 1), ("other", 1)]

    def found(text: str = "", **only: str) -> set[str]:
        return {each.summary.id for each in look(index, text, None, only=FacetQuery(**only)).found}

    for text in ("", "harbour"):
        assert found(text, type="text/csv") == {"table", "fetched"}
        assert found(text, type="text/csv", source="github") == {"fetched"}
        assert found(text, state="damaged") == {"table"}
        assert found(text, state="unknown") == set()
    kept = index.facets("harbour", None, FacetQuery(source="github"))
    assert (kept.types, kept.projects) == ([("text/csv", 1)], [("c/d", 1)])
    # What is changed is counted as it is now.
    with archive.get("scans", "a", project="a/b") as made:
        made.delete("1.tif")
        made.delete("2.tif")
    index.follow()
    assert ("image/tiff", 1) not in index.facets("", None).types
    index.close()


@pytest.mark.parametrize("asked", ["harbuor", "harbor survey", "hrbour", "harboour", "harbxur Survéy", "HARBUOR"])
def test_what_is_spelled_nearly_so_is_offered(archive: Archive, asked: str) -> None:
    _put(archive, "one", {"a.txt": b"x"}, "Harbour survey")
    index = _caught_up(archive)
    assert look(index, asked, None).found == []
    near = index.nearest(asked, None)
    assert near.startswith("harbour")
    assert [each.summary.id for each in look(index, near, None).found] == ["one"]
    # Nobody learns a word of what is not theirs.
    assert index.nearest(asked, ["c/d"]) == ""
    assert index.nearest("zzyzx", None) == ""
    assert index.nearest("x" * 500, None) == ""
    index.close()


def _damage(archive: Archive, id: str, path: str) -> None:
    place = archive.instance(id, project="a/b").location(path)
    place.chmod(0o600)
    place.write_bytes(b"other")


def test_damage_that_a_check_of_everything_finds_is_damage_of_its_resource(archive: Archive) -> None:
    _put(archive, "one", {"a.txt": b"x"})
    _put(archive, "two", {"a.txt": b"y"})
    _damage(archive, "one", "a.txt")
    assert [finding for finding in archive.audit() if finding.failed]
    index = _caught_up(archive)
    assert [(each.id, each.errors > 0, each.unknown) for each in index.last_checks(failed=True)] == [("one", True, 0)]
    assert [each.summary.id for each in look(index, "", None, only=FacetQuery(state="damaged")).found] == ["one"]
    index.close()


def test_a_check_of_everything_that_finds_nothing_ends_what_checks_before_it_found(archive: Archive) -> None:
    _put(archive, "one", {"a.txt": b"right"})
    _damage(archive, "one", "a.txt")
    assert list(archive.audit("one", project="a/b"))
    place = archive.instance("one", project="a/b").location("a.txt")
    place.write_bytes(b"right")
    list(archive.audit(fast=True))
    index = _caught_up(archive)
    assert len(index.last_checks(failed=True)) == 1, "a check of names and sizes has read nothing"
    list(archive.audit())
    while index.follow():
        pass
    assert index.last_checks(failed=True) == []
    index.close()
