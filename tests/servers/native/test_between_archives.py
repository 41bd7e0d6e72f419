"""Carrying resources between archives of which one or both are behind a server, and audits that go on there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment import Archive
from muniment.archive import Archive as LocalArchive
from muniment.archive.fixity.audit import audit
from muniment.errors.exchange import ResourceDiffers
from muniment.workflows.migrate import migrate
from tests.servers.native.running import serving

WHERE = [("folder", "server"), ("server", "folder"), ("server", "server")]


@contextlib.contextmanager
def opened(place: Path, kind: str) -> Iterator[Any]:
    if kind == "folder":
        with LocalArchive.init(place, parity=False, workers=0) as archive:
            yield archive
        return
    with serving(place) as server, Archive(server.url, key=server.key) as archive:
        yield archive


@pytest.fixture(params=WHERE, ids=lambda pair: f"{pair[0]} to {pair[1]}")
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, Any]]:
    one, other = request.param
    with opened(tmp_path / "one", one) as source, opened(tmp_path / "other", other) as target:
        (tmp_path / "in/empty").mkdir(parents=True)
        (tmp_path / "in/é").write_bytes(b"first")
        (tmp_path / "in/link").symlink_to("é")
        with source.new("car") as transaction:
            transaction.add(tmp_path / "in")
            transaction.add(b"gone", "gone")
        with source.get("car", "a") as transaction:
            transaction.add(bytes(1 << 20), "large", modified="2001-02-03T04:05:06Z")
            transaction.delete("gone")
            transaction.metadata["title"] = "A car"
        yield source, target


def test_merging_leaves_one_instance_that_names_where_it_came_from(both: tuple[Any, Any]) -> None:
    source, target = both
    assert [(item.id, item.instances, item.copied) for item in migrate(source, target, merge=True)] == [
        ("car", 1, True)
    ]
    (merged,) = target.history("car")
    history = source.history("car")
    assert {path: merged.read(path) for path in merged} == {"é": b"first", "large": bytes(1 << 20)}
    assert merged["large"].modified == "2001-02-03T04:05:06Z"
    assert merged.metadata == {"title": "A car"}
    assert (merged.record["links"], merged.record["folders"]) == ({"link": "é"}, ["empty"])
    assert [item["instance"] for item in merged.provenance] == [item.instance for item in history]
    assert [item["inventory"] for item in merged.provenance] == [item.inventory_digest() for item in history]
    assert {item["archive"] for item in merged.provenance} == {source.config.id}
    assert [item.copied for item in migrate(source, target, merge=True)] == [False]
    assert [finding for finding in target.audit() if finding.failed] == []


def test_what_is_something_else_is_left_alone(both: tuple[Any, Any]) -> None:
    source, target = both
    with target.new("car") as transaction:
        transaction.add(b"another car", "é")
    with pytest.raises(ResourceDiffers):
        migrate(source, target, merge=True)
    assert target.get("car").read("é") == b"another car"


def test_an_audit_behind_a_server_goes_on_where_it_was(tmp_path: Path) -> None:
    with serving(tmp_path / "archive") as server, Archive(server.url, key=server.key) as archive:
        for name in "abc":
            with archive.new(name) as transaction:
                transaction.add(name.encode(), "file")
        passed: list[str] = []
        with LocalArchive(server.place, parity=False, workers=0) as here:
            list(audit(here.context, passed=passed.append))
        bookmark = server.place / "audit.json"
        so_far = {"begun": "2026-11-29T00:00:00Z", "after": passed[0], "counts": {}, "damaged": {}}
        bookmark.write_text(json.dumps(so_far))
        assert list(archive.audit(resume=True)) == []
        last = list(archive.events())[-1]
        assert (last.event, last.detail["resumed after"]) == ("fixity check", passed[0])
        assert not bookmark.exists()
