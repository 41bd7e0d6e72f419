"""Settings: read once, from what is given and from the environment, and never written back."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.errors.base import BadSetting
from muniment.settings import Secret, Settings, described

HIDDEN = "hunter2-secret"


def test_what_is_given_goes_before_the_environment_and_that_before_the_default() -> None:
    environment = {"MUNIMENT_SERVE_PORT": "81", "MUNIMENT_SERVE_HOST": "::1", "muniment_otel": "yes"}
    settings = Settings(environment, serve_port=82, serve_host=None)
    assert (settings.serve_port, settings.serve_host, settings.serve_processes) == (82, "::1", 1)
    assert settings.otel is True


def test_an_empty_variable_is_as_if_it_were_not_there() -> None:
    settings = Settings(dict.fromkeys((each.variable for each in described().values()), ""))
    assert settings.given == {}
    assert settings.serve_port == 8000


@pytest.mark.parametrize(
    ("name", "said", "meant"),
    [
        ("state", "/srv/state", Path("/srv/state")),
        ("work_lease", "2.5", 2.5),
        ("work_lease", "2 minutes", 120.0),
        ("selection_life", "5 hours", 18_000.0),
        ("serve_work", "off", False),
        ("serve_grace", "0", 0.0),
        ("max_file_size", "17", 17),
        ("broker", "redis://h/0", Secret("redis://h/0")),
    ],
)
def test_a_text_of_the_environment_becomes_what_its_setting_is(name: str, said: str, meant: object) -> None:
    assert getattr(Settings({f"MUNIMENT_{name.upper()}": said}), name) == meant


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("serve_port", "65536"),
        ("serve_port", "-1"),
        ("serve_port", "8000.5"),
        ("serve_processes", "0"),
        ("work_lease", "0"),
        ("work_lease", "nan"),
        ("work_lease", "inf"),
        ("work_lease", "5 fortnights"),
        ("serve_work", "perhaps"),
        ("selection_names", "other"),
        ("broker", f"kafka://{HIDDEN}"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_name_and_not_repeated(name: str, said: str) -> None:
    with pytest.raises(BadSetting, match=f"MUNIMENT_{name.upper()}") as refused:
        Settings({f"MUNIMENT_{name.upper()}": said})
    assert HIDDEN not in str(refused.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(BadSetting, match=r"MUNIMENT_WORK_THREADS.*MUNIMENT_SERVE_PORT"):
        Settings({"MUNIMENT_SERVE_PORT": "x", "MUNIMENT_WORK_THREADS": "y"})


def test_a_name_that_is_no_setting_is_refused_when_it_is_given() -> None:
    with pytest.raises(BadSetting, match="serve_prot"):
        Settings({}, serve_prot=1)


def test_the_former_name_of_a_setting_counts_and_is_told() -> None:
    settings = Settings({"MUNIMENT_WORKERS": "3"})
    assert settings.digest_processes == 3
    assert settings.outdated == {"MUNIMENT_WORKERS": "MUNIMENT_DIGEST_PROCESSES"}
    both = Settings({"MUNIMENT_WORKERS": "3", "MUNIMENT_DIGEST_PROCESSES": "2"})
    assert (both.digest_processes, both.outdated) == (2, {})


def test_changing_settings_makes_others_and_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings({"MUNIMENT_SERVE_PORT": "81", "MUNIMENT_KEY": HIDDEN})
    monkeypatch.setenv("MUNIMENT_SERVE_HOST", "::1")
    changed = settings.changed(serve_port=82, serve_host=None)
    assert (changed.serve_port, changed.serve_host, changed.secret()) == (82, "127.0.0.1", HIDDEN)
    assert settings.serve_port == 81
    with pytest.raises(AttributeError):
        settings.serve_port = 83


def test_a_secret_shows_nowhere() -> None:
    settings = Settings({}, key=HIDDEN)
    assert HIDDEN not in repr(settings.key)
    assert HIDDEN not in str(settings.key)
    assert HIDDEN not in repr(settings)


def test_settings_reach_another_process_whole() -> None:
    settings = Settings({}, key=HIDDEN, state="/srv", serve_port=81)
    there = pickle.loads(pickle.dumps(settings))
    assert there.given == settings.given
    assert there.secret() == HIDDEN


def test_reading_settings_leaves_the_environment_as_it_was(tmp_path: Path) -> None:
    before = dict(os.environ)
    Settings(archive=str(tmp_path), serve_port=81)
    assert dict(os.environ) == before


def test_the_environment_is_read_here_and_nowhere_else() -> None:
    source = Path(sys.modules["muniment.settings"].__file__ or "").parents[1]
    readers = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if not path.is_relative_to(source / "testing") and "os.environ" in path.read_text()
    }
    # Variables that are not ours: those of Prometheus and OpenTelemetry have their meaning from there, and the
    # program rclone is handed the few of its own and of the system that it needs.
    assert readers == {"settings/settings.py", "http/metrics.py", "server/tracing.py", "session/rclone.py"}


def test_the_command_line_starts_without_a_database_library(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom muniment.cli.main import run\n"
        "status = run(sys.argv[1:])\n"
        "slow = {'sqlalchemy', 'alembic', 'uvicorn'} & sys.modules.keys()\n"
        "print(status, sorted(slow), file=sys.stderr)\n"
    )
    archive = str(tmp_path / "archive")
    subprocess.run([sys.executable, "-m", "muniment", "--archive", archive, "init"], check=True, capture_output=True)
    for words in (("--help",), ("ls",), ("add", __file__, "--id", "thing")):
        command = [sys.executable, "-c", code, "--archive", archive, *words]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        assert said.stderr.splitlines()[-1] == "0 []", said.stderr
