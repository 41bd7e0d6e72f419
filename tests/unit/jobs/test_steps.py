"""The registry of steps, and that the words load without a database library."""

from __future__ import annotations

import subprocess
import sys

import pytest

from muniment.errors.jobs import StepNameTaken, UnknownStep
from muniment.jobs import Context, Done, Json, Registry, Step


class Fetch:
    name = "fetch"

    def run(self, given: Json, context: Context) -> Done:
        return Done(given)


def test_a_registry_finds_steps_by_name() -> None:
    step: Step = Fetch()
    registry = Registry([step])
    assert registry["fetch"] is step
    assert list(registry) == ["fetch"]
    assert "other" not in registry
    assert registry.get("other") is None


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownStep, match="known are: fetch"):
        Registry([Fetch()])["other"]


def test_a_name_is_one_steps_own() -> None:
    with pytest.raises(StepNameTaken):
        Registry([Fetch(), Fetch()])


def test_the_words_load_without_a_database_library() -> None:
    code = "import sys, muniment.jobs; print([m for m in ('sqlalchemy', 'celery', 'cryptography') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
