"""A configuration file stands in for options: the user's, the system's, and for each archive by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment.cli.main import run
from muniment.errors.base import BadSetting
from muniment.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home and a system's folder, with a configuration in neither."""
    monkeypatch.delenv("MUNIMENT_CONFIG", raising=False)
    monkeypatch.delenv("MUNIMENT_ARCHIVE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "etc"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path / "home"


def write(folder: Path, text: str) -> Path:
    path = folder / "muniment/config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return path


def test_an_archive_goes_by_its_name_and_has_settings_of_its_own(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        home / ".config",
        f"""
        archive = "letters"
        agent_name = "An archivist"
        [archives.letters]
        archive = "~/letters"
        [archives.maps]
        archive = "{tmp_path}/maps"
        state = "{tmp_path}/state"
        agent_name = "The map room"
        """,
    )
    assert run(["init"]) == 0
    assert run(["init", "-a", "maps"]) == 0
    assert (home / "letters/muniment.json").is_file()
    assert (tmp_path / "state/control.db").is_file()
    (tmp_path / "note").write_bytes(b"1")
    capsys.readouterr()
    for place, agent in (("letters", "An archivist"), ("maps", "The map room"), (f"{tmp_path}/maps/", "The map room")):
        assert run(["add", str(tmp_path / "note"), "-a", place, "--id", f"r{len(place)}"]) == 0
        assert run(["events", "-a", place]) == 0
        assert agent in capsys.readouterr().out.splitlines()[-1]
    assert run(["init", str(tmp_path / "third")]) == 0, "the usual archive is none that was named for this command"


def test_options_go_before_the_environment_and_that_before_the_users_file_and_that_before_the_systems(
    home: Path, tmp_path: Path
) -> None:
    system = write(tmp_path / "etc", "serve_port = 1\nserve_processes = 2\nserve_title = 'S'\nwork_threads = 5")
    user = write(home / ".config", "serve_port = 3\nserve_title = 'U'\nserve_trusted_proxies = ['::1', '10.0.0.0/8']")
    environment = {"HOME": str(home), "XDG_CONFIG_DIRS": str(tmp_path / "etc"), "MUNIMENT_SERVE_TITLE": "E"}
    settings = Settings(environment, work_threads=6)
    assert settings.files == [system, user]
    assert (settings.serve_port, settings.serve_processes, settings.serve_title) == (3, 2, "E")
    assert (settings.work_threads, settings.serve_trusted_proxies) == (6, "::1,10.0.0.0/8")
    assert settings.changed(serve_port=4).serve_processes == 2
    assert Settings({}).given == {}


def test_one_file_may_be_named_in_their_place(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home / ".config", "archive = 'elsewhere'")
    named = tmp_path / "other.toml"
    named.write_text("archive = './beside'")
    assert run(["init", "--config", str(named), "-v"]) == 0
    assert (tmp_path / "beside/muniment.json").is_file()
    assert f"settings are read from {named}" in capsys.readouterr().err
    assert run(["ls", "--config", str(tmp_path / "nowhere.toml")]) == 4
    assert "nowhere.toml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("serve_prot = 1", "no setting serve_prot; is serve_port meant?"),
        ("MUNIMENT_SERVE_PORT = 1", "is serve_port meant?"),
        ("serve_port = 70000", "config.toml: serve_port"),
        ("serve_port = 2020-01-01", "serve_port is a text"),
        ("serve_port =", "cannot be read"),
        ("archives = 1", "a table for each archive"),
        ("[archives.'a/b']\nstate='x'", "holds a /"),
        ("[archives.a]\nsatte='x'", "archives.a.satte; is state meant?"),
        ("key = '\xff", "cannot be read"),
    ],
)
def test_what_is_no_setting_is_refused_with_its_place(home: Path, text: str, said: str) -> None:
    write(home / ".config", text)
    with pytest.raises(BadSetting) as refused:
        Settings({"HOME": str(home)})
    assert said in str(refused.value)


def test_a_secret_that_others_may_read_is_refused_and_not_repeated(home: Path) -> None:
    path = write(home / ".config", "key = 'hunter2'")
    found = Settings({"HOME": str(home)}).secret()
    assert found == "hunter2"
    path.chmod(0o640)
    with pytest.raises(BadSetting, match="chmod 600") as refused:
        Settings({"HOME": str(home)})
    assert "hunter2" not in str(refused.value)
