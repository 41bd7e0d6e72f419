"""The published suite of rule cases is written whole with its verdicts, and docs/verdicts.md is what they are."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> Any:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return importlib.import_module("package_suite")
    finally:
        sys.path.remove(str(ROOT / "scripts"))


def test_the_suite_is_written_with_its_verdicts(script: Any, tmp_path: Path) -> None:
    assert script.main([str(tmp_path / "suite")]) == 0
    verdicts = json.loads((tmp_path / "suite/verdicts.json").read_bytes())
    assert len(verdicts) > 150
    explained = (tmp_path / "suite/README.md").read_text("utf-8")
    assert all(f"`{name}`" in explained for name in verdicts[0])
    for each in verdicts:
        assert (tmp_path / "suite" / each["package"]).exists()
        assert each["valid"] == each["code"].startswith(("B5", "W", "O5", "O8"))


def test_the_page_of_verdicts_is_what_the_tools_say(script: Any, tmp_path: Path) -> None:
    assert script.judges_installed(), "the page tells of these versions: requirements and page change together"
    verdicts = script.write_suite(tmp_path / "suite")
    made = script.page(tmp_path / "suite", verdicts)
    assert made == (ROOT / "docs/verdicts.md").read_text("utf-8"), "run scripts/package_suite.py FOLDER --compare"
    assert made.count("\n| ") > 10
