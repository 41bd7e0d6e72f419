"""Every text of the pages is in every language, with the same names to be filled in."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.jobs import JobState, Priority
from muniment.jobs.model import State
from muniment.server import pages
from muniment.server.pages import (
    about,
    broken,
    containers,
    copies,
    distillery,
    evidence,
    failures,
    realms,
    resources,
    stores,
)
from muniment.server.pages.page import NAVIGATION
from muniment.server.pages.texts import LANGUAGES, Texts

FOLDER = Path(pages.__file__).parent
_IN_TEMPLATES = re.compile(r"""\b(?:t\(|n\([^"'\n]*?,\s*)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_NAMES = re.compile(r"\{([a-z_]+)\}")
_CALLS = {"t", "n", "texts", "counted", "words"}


def wanted() -> set[str]:
    """Every text that a page may ask for."""
    found = set(_of_templates()) | set(_of_modules())
    found |= {label for label, entries in NAVIGATION} | {entry.label for _, entries in NAVIGATION for entry in entries}
    found |= {text for _, *said in about.STATES for text in said} | {text for said in about.WORDS for text in said}
    found |= (
        set(failures._HEADINGS.values()) | {str(each) for each in (*JobState, *State, *Priority)} | set(copies.SHAPES)
    )
    for words in (
        distillery.STAGES,
        distillery.WORDS,
        distillery.DONE,
        distillery.STATES,
        distillery.KEPT,
        distillery.BROKEN,
    ):
        found |= set(words.values())
    found |= set(evidence.AREA_NAMES.values())
    found |= set(copies.TRIAL_WORDS.values()) | set(copies.TRIAL_STEPS) | set(realms.ISSUER_STEPS)
    found |= set(resources.LABELS.values()) | set(resources.EVENT_WORDS.values()) | set(copies.COPY_WORDS.values())
    found |= set(broken.STATE_WORDS.values()) | set(broken.CAUSE_WORDS.values())
    found |= (
        set(containers.SERVICE_WORDS.values())
        | set(containers.STATUS_WORDS.values())
        | set(containers.DELIVERY_WORDS.values())
    )
    found |= {"added", "removed", "renamed"} | set(realms.LABELS.values()) | set(stores.KEY_WORDS.values())
    return found


def _of_templates() -> Iterator[str]:
    for place in (FOLDER / "templates").glob("*.html"):
        for found in _IN_TEMPLATES.findall(place.read_text(encoding="utf-8")):
            yield str(ast.literal_eval(found))


def _of_modules() -> Iterator[str]:
    for place in FOLDER.glob("*.py"):
        tree = ast.parse(place.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            # What has two forms, or is filled in, is written out where it is chosen.
            said = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if "{n}" in said and "|" in said and "\n" not in said:
                yield said
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _CALLS:
                for given in node.args:
                    if isinstance(given, ast.Constant) and isinstance(given.value, str):
                        yield given.value


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_every_text_is_translated_and_no_translation_is_left_over(language: str) -> None:
    known = json.loads((FOLDER / "translations" / f"{language}.json").read_text(encoding="utf-8"))
    assert sorted(wanted() - known.keys()) == []
    assert sorted(known.keys() - wanted()) == []


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_a_translation_fills_in_the_same_names_and_has_as_many_forms(language: str) -> None:
    known = json.loads((FOLDER / "translations" / f"{language}.json").read_text(encoding="utf-8"))
    for text, other in known.items():
        assert text.count("|") == other.count("|"), text
        assert set(_NAMES.findall(text)) == set(_NAMES.findall(other)), text
        assert str(Texts(language)(text, **dict.fromkeys(_NAMES.findall(text), "x")))
