"""Names and tars of laid-out packages."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from muniment.content.times import seconds
from muniment.layouts.instances import place_in_bag
from muniment.layouts.packages import LaidOutPackage, PackageTar, folder_name, text

ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


@given(ANY, ANY)
def test_ids_that_differ_get_names_that_differ_and_are_names(one: str, other: str) -> None:
    name = folder_name(one)
    assert name.isascii()
    assert name.isprintable()
    assert not set(name) & set('/\\ *?"<>|:')
    assert not name.startswith(".")
    assert len(name) <= 255
    assert (name == folder_name(other)) == (one == other)


def test_a_plain_id_is_its_own_name() -> None:
    assert folder_name("1234-5678_a.b") == "1234-5678_a.b"
    assert folder_name("..") == "%2e."
    assert folder_name("urn:a/b ä") == "urn%3aa%2fb%20%c3%a4"


def test_a_users_instance_json_makes_room_for_ours() -> None:
    assert place_in_bag("instance.json") == "=m=instance.json"
    assert place_in_bag("Instance.JSON/x") == "=m=Instance.JSON/x"
    assert place_in_bag("a/instance.json") == "a/instance.json"


def test_times_become_whole_seconds() -> None:
    assert seconds("2001-09-09T01:46:40.900000Z") == 1_000_000_000
    assert seconds("2001-09-09T03:46:40+02:00") == 1_000_000_000
    assert seconds("no time") == seconds(None) == 0


def test_a_tar_has_one_top_folder_and_its_empty_folders() -> None:
    laid = LaidOutPackage("top", [text("a", b"1", 5), text("b/c", b"", 6)], ("data", "x" * 120 + "/" + "y" * 120))
    plan = PackageTar(laid, 7)
    data = b"".join(plan.read())
    assert len(data) == plan.length
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {entry.name: (entry.isdir(), entry.size, entry.mtime, entry.mode) for entry in tar}
    assert found == {
        "top/a": (False, 1, 5, 0o644),
        "top/b/c": (False, 0, 6, 0o644),
        "top/data": (True, 0, 7, 0o755),
        f"top/{'x' * 120}/{'y' * 120}": (True, 0, 7, 0o755),
    }


def test_an_empty_folder_changes_the_etag() -> None:
    assert (
        PackageTar(LaidOutPackage("top", [text("a", b"1", 5)], ("data",))).etag
        != PackageTar(LaidOutPackage("top", [text("a", b"1", 5)])).etag
    )
