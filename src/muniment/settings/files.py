"""Configuration files: TOML, where the XDG base directories say, with a table for each archive that has a name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from muniment.errors.base import BadSetting
from muniment.settings.fields import PREFIX, Setting

CONFIG = f"{PREFIX}CONFIG"
_ARCHIVES = "archives"
_PLACES = frozenset({"archive", "ledger"})
"""Settings that are a path unless they are an address."""
_OTHERS = 0o077


class ConfigFiles:
    """What the files say: their settings, and below each name those of one archive. The later file goes first."""

    def __init__(self) -> None:
        self.files: list[Path] = []
        self.values: dict[str, tuple[Path, object]] = {}
        self.archives: dict[str, dict[str, tuple[Path, object]]] = {}

    def of(self, archive: object) -> dict[str, tuple[Path, object]]:
        """Each setting with the file that says it, as it is for one archive, which goes by its name or its place."""
        chosen = archive if archive is not None else self.values.get("archive", (None, None))[1]
        return {**self.values, **self.archives.get(self._name(chosen), {})}

    def _name(self, archive: object) -> str:
        if archive is None or str(archive) in self.archives:
            return str(archive)
        place = _absolute(archive)
        for name, values in self.archives.items():
            if "archive" in values and _absolute(values["archive"][1]) == place:
                return name
        return ""


def _absolute(place: object) -> str:
    text = str(place)
    return text.rstrip("/") if "://" in text else os.path.abspath(text)  # noqa: PTH100 - links stay what they are


def config_files(environment: Mapping[str, str], named: str | None, *, usual: bool) -> Iterator[Path]:
    """Where configuration is looked for: the system's first, then the user's, or only the file that is named.

    `named` is that file; `usual` says whether places that the environment does not name count too.

    Raises:
        BadSetting: The file that was named is not there.
    """
    if named := named or environment.get(CONFIG):
        path = Path(named)
        if not path.exists():
            raise BadSetting(reason=f"{CONFIG} (--config) names {named}, which is not there")
        yield path
        return
    home = environment.get("HOME")
    user = environment.get("XDG_CONFIG_HOME") or (home and f"{home}/.config")
    system = environment.get("XDG_CONFIG_DIRS") or ("/etc/xdg" if usual else "")
    for folder in (*reversed(system.split(":")), user):
        # The XDG specification passes over what is not absolute.
        if folder and folder.startswith("/"):
            yield Path(folder, "muniment", "config.toml")


def read_files(paths: Iterator[Path], known: Mapping[str, Setting[object]]) -> ConfigFiles:
    """What those of the files say that are there.

    Raises:
        BadSetting: One cannot be read, or says what is no setting.
    """
    found = ConfigFiles()
    for path in paths:
        if not path.is_file():
            continue
        document = _parsed(path)
        found.files.append(path)
        archives = document.pop(_ARCHIVES, {})
        found.values.update(_settings(path, "", document, known))
        if not isinstance(archives, dict):
            raise BadSetting(reason=f"{path}: [{_ARCHIVES}.NAME] is a table for each archive")
        for name, table in archives.items():
            where = f"{_ARCHIVES}.{name}."
            if not isinstance(table, dict) or "/" in name or ":" in name:
                raise BadSetting(reason=f"{path}: {where[:-1]} is no table, or its name holds a / or a :")
            found.archives.setdefault(name, {}).update(_settings(path, where, table, known))
    return found


def _parsed(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - most starts find no file

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadSetting(reason=f"the configuration {path} cannot be read: {reason}") from error


def _settings(
    path: Path, where: str, table: Mapping[str, object], known: Mapping[str, Setting[object]]
) -> dict[str, tuple[Path, object]]:
    found: dict[str, tuple[Path, object]] = {}
    for name, value in table.items():
        setting = known.get(name)
        if setting is None:
            raise BadSetting(reason=f"{path}: there is no setting {where}{name}{_near(name, known)}")
        if isinstance(value, list) and all(isinstance(item, str | int) for item in value):
            value = ",".join(map(str, value))  # noqa: PLW2901 - lists are texts with commas in the environment
        if not isinstance(value, str | int | float):
            raise BadSetting(reason=f"{path}: {where}{name} is a text, a number, true or false, or a list of texts")
        if setting.kind == "secret" and path.stat().st_mode & _OTHERS:
            raise BadSetting(reason=f"{path} holds {where}{name}, a secret, and others may read it: chmod 600 {path}")
        if isinstance(value, str) and (setting.kind == "path" or (name in _PLACES and "://" not in value)):
            value = _place(path, name, value)  # noqa: PLW2901 - as above
        found[name] = path, value
    return found


def _place(path: Path, name: str, value: str) -> str:
    """A path as it is meant: `~` is the home folder, and what is relative lies beside the file."""
    if name == "archive" and "/" not in value:
        return value  # the name of a table
    return str(path.parent / Path(value).expanduser())


def _near(name: str, known: Mapping[str, Setting[object]]) -> str:
    import difflib  # noqa: PLC0415 - only for a mistake

    near = difflib.get_close_matches(name.removeprefix(PREFIX.lower()).lower(), known, 1)
    return f"; is {near[0]} meant?" if near else ""
