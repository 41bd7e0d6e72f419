"""The preservation layout: names of folders and images, keys, and ids that a second run makes again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.errors.distillery import BadFolderName, BadImageName
from muniment.layouts.preservation import (
    Arrangement,
    Level,
    collection_key,
    component_id,
    display,
    image_id,
    is_collection_id,
    is_image_name,
    sequence,
)

ANNUAL = Arrangement("HBF", "HBF_001_05", "Annual Meetings, 1943", Level("1", "Organizational Records"))


def test_keys_are_those_of_every_store() -> None:
    assert collection_key("HBF") == "HBF/HBF.json"
    assert ANNUAL.folder == "HBF/HBF-s01-Organizational-Records/HBF_001_05-Annual-Meetings--1943"
    assert ANNUAL.record_key == f"{ANNUAL.folder}/HBF_001_05.json"
    key = ANNUAL.image_key("0001")
    assert re.fullmatch(re.escape(ANNUAL.folder) + r"/HBF_001_05_0001/[a-z0-9]{4}_[a-z0-9]{4}\.jp2", key)
    deep = Arrangement("HBF", "HBF_001_05", "A", Level("2", "S"), Level("11", "T/U"))
    assert deep.folder == "HBF/HBF-s02-S/HBF-s02-ss11-T-U/HBF_001_05-A"
    assert Arrangement("HBF", "HBF_001_05", "Ää 1").folder == "HBF/HBF_001_05-Ää-1", "letters of every script are kept"


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("HBF_1_05", "HBF_001_05"), ("HBF_001_5", "HBF_001_5"), ("HBF_12a_3", "HBF_12a_3"), ("HBF_1234_1", "HBF_1234_1")],
)
def test_a_folder_names_its_archival_object(folder: str, expected: str) -> None:
    assert component_id(folder, "HBF") == expected


@pytest.mark.parametrize(
    "folder", ["HBF", "HBF_1", "HBF_1_2_3", "hbf_1_2", "X_1_2", "HBF__2", "HBF_1_", "HBF_a b_1", "_"]
)
def test_other_folders_are_refused_with_the_reason(folder: str) -> None:
    with pytest.raises(BadFolderName, match=re.escape(repr(folder))):
        component_id(folder, "HBF")


def test_images_are_placed_by_their_last_part() -> None:
    assert sequence("HBF_1_05_7.tif", "HBF_1_05") == "0007"
    assert sequence("HBF_1_05_cover.tiff", "HBF_1_05") == "cover"
    for name in ("HBF_1_05_7.TIF", "HBF_1_05_7.jpg", "HBF_1_06_7.tif", "HBF_1_05_.tif", "HBF_1_05_a/b.tif", "7.tif"):
        with pytest.raises(BadImageName):
            sequence(name, "HBF_1_05")
    assert is_image_name("a.tif")
    assert not is_image_name("a.TIF")


@pytest.mark.parametrize("id", ["HBF", "10118-MS", "a.b~c_d"])
def test_collection_ids(id: str) -> None:
    assert is_collection_id(id)


@pytest.mark.parametrize("id", ["", "../x", "a/b", "a..b", ".a", "-a", "a b", "a" * 61, "ä", "a\n"])
def test_what_is_no_collection_id(id: str) -> None:
    assert not is_collection_id(id)


@given(st.text(max_size=300))
def test_a_title_never_leaves_its_segment(title: str) -> None:
    shown = display(title)
    assert "/" not in shown
    assert "." not in shown
    assert "\0" not in shown


def test_ids_follow_from_what_they_name() -> None:
    assert image_id("HBF", "HBF_001_05", "0001") == image_id("HBF", "HBF_001_05", "0001")
    made = {
        image_id("HBF", f"HBF_{box:03}_{folder}", f"{n:04}")
        for box in range(20)
        for folder in range(20)
        for n in range(20)
    }
    assert len(made) == 8000
    assert not set("iloU") & set("".join(made))
