"""The project's own checks find what they are there to find."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import changelog, locks, shape

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project for the scripts to look at."""
    (tmp_path / "changes").mkdir()
    (tmp_path / "CHANGELOG.md").write_text(f"# Changes\n\n{changelog.UNRELEASED}\n\n## 0.1.0\n")
    for script in (changelog, locks, shape):
        monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(changelog, "NOTES", tmp_path / "changes")
    monkeypatch.setattr(changelog, "CHANGELOG", tmp_path / "CHANGELOG.md")
    return tmp_path


def test_plain_sentences_are_a_good_note(project: Path) -> None:
    (project / "changes" / "parity.md").write_text("Files rotted. They are repaired now.\n")
    assert changelog.check() == []


@pytest.mark.parametrize(
    ("name", "text"),
    [("Parity.md", "Fine."), ("a.md", ""), ("a.md", "# Title."), ("a.md", "No stop"), ("a.md", "x" * 600 + ".")],
)
def test_a_bad_note_is_named(project: Path, name: str, text: str) -> None:
    (project / "changes" / name).write_text(text)
    assert [complaint for complaint in changelog.check() if name in complaint]


def test_a_release_takes_the_notes_above_the_last_one(project: Path) -> None:
    (project / "changes" / "b.md").write_text("Two\nlines.\n")
    (project / "changes" / "a.md").write_text("One.\n")
    changelog.release("0.2.0")
    text = (project / "CHANGELOG.md").read_text()
    assert "- One.\n- Two lines.\n" in text
    assert text.index(changelog.UNRELEASED) < text.index("## 0.2.0") < text.index("## 0.1.0")
    assert list((project / "changes").iterdir()) == []


GOOD_LOCK = "typer==1.2.0 \\\n    --hash=sha256:00\n    # via muniment (pyproject.toml)\n"


def complaints(project: Path, text: str, *asked: str) -> list[str]:
    path = project / "dev.txt"
    path.write_text(text)
    return locks.compare(path, [Requirement(line) for line in asked])


def test_a_lock_that_follows_is_accepted(project: Path) -> None:
    assert complaints(project, GOOD_LOCK, "Typer>=1") == []


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        pytest.param(GOOD_LOCK, ["typer>=1", "rich"], id="something is missing"),
        pytest.param(GOOD_LOCK, ["typer>=2"], id="too old"),
        pytest.param(GOOD_LOCK, [], id="no longer asked for"),
        pytest.param("--index-url https://example.org/simple\n" + GOOD_LOCK, ["typer"], id="an index"),
        pytest.param("--find-links /wheels\n" + GOOD_LOCK, ["typer"], id="a folder of one machine"),
        pytest.param("-f /wheels\n" + GOOD_LOCK, ["typer"], id="the same, short"),
    ],
)
def test_a_lock_that_does_not_follow_is_refused(project: Path, text: str, asked: list[str]) -> None:
    assert len(complaints(project, text, *asked)) == 1


LIMITS = shape.Rules(longest_file=600, longest_function=70, exceptions={})


def shapes(project: Path, source: str, rules: shape.Rules = LIMITS) -> list[str]:
    (project / "src").mkdir()
    (project / "src" / "a.py").write_text(source)
    return list(shape.judge_all(project, rules))


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ('"""Is for."""\n' + "x = 1\n" * 600, "src/a.py: 601 lines"),
        ('"""Is for."""\n\n\ndef f():\n' + "    x = 1\n" * 70, "src/a.py:f: 71 lines"),
        ("x = 1\n", "src/a.py:1: it begins without a sentence"),
    ],
)
def test_a_bad_shape_is_named(project: Path, source: str, complaint: str) -> None:
    (told,) = shapes(project, source)
    assert told.startswith(complaint)


@pytest.mark.parametrize(
    "source", ['"""Is for."""\n' + "x = 1\n" * 599, '"""F."""\n\n\ndef f():\n' + "    x = 1\n" * 69]
)
def test_a_shape_at_the_limit_is_good(project: Path, source: str) -> None:
    assert shapes(project, source) == []


def test_an_exception_with_a_reason_allows_that_one_place(project: Path) -> None:
    source = '"""Is for."""\n\n\ndef f():\n' + "    x = 1\n" * 70 + "\n\ndef g():\n" + "    x = 1\n" * 70
    (told,) = shapes(project, source, replace(LIMITS, exceptions={"src/a.py:f": "it is one table"}))
    assert told.startswith("src/a.py:g:")


@pytest.mark.parametrize(
    ("exceptions", "complaint"),
    [({"src/gone.py": "it is one table"}, "needs none"), ({"src/a.py": " "}, "needs a reason")],
)
def test_an_exception_that_is_not_needed_or_has_no_reason_is_named(
    project: Path, exceptions: dict[str, str], complaint: str
) -> None:
    (told,) = shapes(
        project, '"""Is for."""\n' + "x = 1\n" * 600, replace(LIMITS, exceptions={"src/a.py": "one", **exceptions})
    )
    assert complaint in told


def test_the_exceptions_of_the_project_are_read(project: Path) -> None:
    rules = shape.Rules.read(ROOT / "pyproject.toml")
    assert (rules.longest_file, rules.longest_function) == (600, 70)


def test_a_long_docstring_makes_no_long_function(project: Path) -> None:
    said = '"""Is for."""\n\n\ndef f():\n    """Say.\n' + "\n    More.\n" * 60 + '    """\n    return 1\n'
    assert shapes(project, said) == []


def test_an_unknown_section_of_system_packages_is_refused() -> None:
    done = subprocess.run([ROOT / "scripts/system.sh", "nope"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no section [nope]" in done.stderr
