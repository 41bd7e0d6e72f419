"""The project's own checks find what they are there to find."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import changelog, locks, mutants, names, shape

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


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """A project with a glossary of one term and a list of words."""
    for folder in ("docs", "scripts", "src/muniment"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "docs/glossary.md").write_text("| term | meaning |\n| --- | --- |\n| **Staging area** | Where. |\n")
    (tmp_path / "scripts/words.txt").write_text("# Trade\n\nwriter store\n\n# Gone\n\nworkspace: staging area\n")
    return tmp_path


@pytest.mark.parametrize("name", ["StagingArea", "AreaWriter", "StoreWriter2", "Stores", "_Desk"])
def test_a_name_of_known_words_is_good(named: Path, name: str) -> None:
    (named / "src/muniment/area_writers.py").write_text(f"class {name}:\n    pass\n")
    assert list(names.complaints(named)) == []


@pytest.mark.parametrize(
    ("module", "name", "complaint"),
    [
        ("store", "StoreDesk", "src/muniment/store.py:1: StoreDesk: whose word is 'desk'?"),
        ("desk_store", "Store", "src/muniment/desk_store.py: desk_store: whose word is 'desk'?"),
        (
            "store",
            "Workspace",
            "src/muniment/store.py:1: Workspace: 'workspace' is a word of our own; say staging area",
        ),
    ],
)
def test_a_name_nobody_else_would_know_is_named(named: Path, module: str, name: str, complaint: str) -> None:
    (named / f"src/muniment/{module}.py").write_text(f"class {name}:\n    pass\n")
    ((place, sentence),) = names.complaints(named)
    assert f"{place}: {sentence}".startswith(complaint)


def test_no_word_is_both_known_and_gone() -> None:
    known, gone = names.vocabulary(ROOT)
    assert known & gone.keys() == set()
    assert len(known) > 300
    assert len(gone) > 20


def mutated(source: str) -> list[str]:
    """Each mutant of the body of one function, as the whole source."""
    finder = mutants.Finder("m.py", source.encode())
    return [mutant.apply(source.encode()).decode() for mutant in sorted(finder.found)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sync(file)", ["pass"]),
        ("raise Gone('not a matter of right and wrong')", ["pass"]),
        ("if a < b: go()", ["if a <= b: go()", "if not (a < b): go()", "if a < b: pass"]),
        ("return a == 1", ["return a != 1", "return a == 2"]),
        ("return a is not None and b", ["return ((a is not None) or (b))", "return a is None and b"]),
        ("return a not in (b)", ["return a in (b)"]),
        ("return a + b", ["return (a) - (b)"]),
        ("return record(event='repair', by=who)", ["'repair~'", "by=None"]),
        ("return [each for each in these if each]", ["if not (each)]"]),
        ("return True", ["return False"]),
        ("return 'é' + b", ["return ('é') - (b)", "return 'é~' + b"]),
        ("while a: break", ["while a: pass"]),
    ],
)
def test_a_line_is_changed_in_each_way_that_a_test_should_notice(line: str, expected: list[str]) -> None:
    found = mutated(f'def f(a: "x", b=None) -> "y":\n    """Do."""\n    {line}\n')
    assert len(found) == len(expected), found
    for change in expected:
        assert any(change in each for each in found), (change, found)


def test_what_mutants_are_judged_by_is_there() -> None:
    parts, allowed = mutants.read(mutants.SETTINGS)
    for part in parts.values():
        for place in [*part.modules, *(test.partition("::")[0] for test in part.tests)]:
            assert (ROOT / place).exists(), f"{part.name}: {place}"
        assert all(mutants.mutants(ROOT, module) for module in part.modules), part.name
    for each in allowed:
        assert any(each.covers(mutant) for mutant in mutants.mutants(ROOT, each.file)), each
        assert each.reason


def test_a_survivor_is_told_and_a_listed_one_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.py").write_text("def f(a):\n    if a > 1:\n        return 'x'\n    return a\n")
    (tmp_path / "test_m.py").write_text("from m import f\n\ndef test_f():\n    assert f(5) and f(0) == 0\n")
    part = mutants.Part("m", ["m.py"], ["test_m.py"], most=100)
    listed = mutants.Allowed("m.py", "f", "'x'", "what it says is no matter")
    mutants.judge(part, tmp_path, [listed], 1, float("inf"))
    assert part.killed == 1
    assert part.allowed == 1
    assert [mutant.after for mutant in part.survivors] == [" >= ", "2"]
    assert mutants.report([part], [listed]) == 1
    assert "25%" in capsys.readouterr().out


def test_an_unknown_section_of_system_packages_is_refused() -> None:
    done = subprocess.run([ROOT / "scripts/system.sh", "nope"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no section [nope]" in done.stderr
