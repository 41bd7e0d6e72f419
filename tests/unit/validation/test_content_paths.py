"""The content paths of a manifest and of a fixity block, each in itself and beside the others (OCFL 1.1 §3.5.2)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muniment.content.findings import Finding
from muniment.validation import validate_root
from muniment.validation.ocfl.content_paths import check_content_paths
from tests.format.objects import make_root


def codes(block: dict[str, list[str]], *, fixity: bool = False) -> list[tuple[str, str, str]]:
    findings: list[Finding] = []
    check_content_paths(block, "inventory.json", set(), findings, fixity=fixity)
    return [(each.code, each.expected, each.found) for each in findings]


def test_a_path_that_another_needs_as_a_folder_collides_with_it() -> None:
    assert codes({"aa": ["v1/content/a"], "bb": ["v1/content/a/b/c"]}) == [("E101", "v1/content/a", "v1/content/a/b/c")]


def test_one_file_may_have_several_digests_in_a_fixity_block_and_one_in_the_manifest() -> None:
    block = {"aa": ["v1/content/a"], "bb": ["v1/content/a"]}
    assert codes(block, fixity=True) == []
    assert [code for code, _, _ in codes(block)] == ["E101"]


def test_a_folder_that_cannot_be_listed_is_not_called_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_root(tmp_path / "root")
    real = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("000/000"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = [(each.code, each.where) for each in validate_root(made) if each.failed]
    assert ("O901", "000/000") in found
    assert "E073" not in {code for code, _ in found}
