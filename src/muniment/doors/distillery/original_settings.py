"""The importer of the original Distillery's `settings.ini`: what it says, as this door's TOML section."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from muniment.errors.distillery import BadDistillerySetting

_SECTION = "settings"
_USERS = "users.csv"
_REPOSITORY = "/repositories/2"
"""The original knew no other."""
_NAMESPACE = "caltech"
_NOT_NEEDED = frozenset(
    {
        "CUT_CMD", "EXIFTOOL_CMD", "KDU_COMPRESS_CMD", "MAGICK_CMD", "SHA512SUM_CMD", "TESSERACT_CMD", "LOG_FILE",
        "PROCESSING_FILES", "STAGE_2_ORIGINAL_FILES", "LOSSLESS_PRESERVATION_FILES", "COMPRESSED_ACCESS_FILES",
        "CLOUD_PLATFORM", "ONSITE_MEDIUM", "ACCESS_PLATFORM", "ISLANDORA_LOG_FILE", "TAPE_PYTHON3_CMD",
        "TAPE_RSYNC_CMD",
    }
)  # fmt: skip
"""What has no counterpart: programs that are not used, and folders for what the ledger and the archive keep."""
_SECRETS = {
    "ASPACE_PASSWORD": ("archivesspace", "password_file"),
    "AWS_ACCESS_KEY": ("cloud", "access_key_file"),
    "AWS_SECRET_KEY": ("cloud", "secret_key_file"),
}

_Tables: TypeAlias = dict[str, dict[str, "str | list[str]"]]


@dataclass(frozen=True, slots=True)
class ImportedSettings:
    """What was written, and the names in the original that were not taken over."""

    path: Path
    secrets: tuple[Path, ...]
    left_out: tuple[str, ...]


def import_settings(original: Path, target: Path) -> ImportedSettings:
    """Write `target`, and a file of mode 600 beside it for each credential. Files that are there are not touched.

    Raises:
        BadDistillerySetting: The original cannot be read, or a file to be written is there already.
    """
    given = _read(original)
    tables: _Tables = {"": {}, "archivesspace": {}, "cloud": {}, "onsite": {}, "access": {}}
    _folders(given, tables, original)
    _services(given, tables)
    secrets: list[tuple[Path, str]] = []
    for name, (table, setting) in _SECRETS.items():
        if given.get(name):
            place = target.with_name(f"{target.stem}-{table}-{setting.removesuffix('_file').replace('_', '-')}")
            tables[table][setting] = place.name
            secrets.append((place, given[name]))
    taken = [path for path in (target, *(place for place, _ in secrets)) if os.path.lexists(path)]
    if taken:
        raise BadDistillerySetting(path=taken[0], reason="it is there already; name another with -o, or remove it")
    try:
        for place, secret in secrets:
            _write(place, f"{secret}\n")
        _write(target, _toml(tables, original))
    except OSError as error:
        for place in (target, *(place for place, _ in secrets)):
            with contextlib.suppress(OSError):
                place.unlink()
        raise BadDistillerySetting(path=target, reason=f"it cannot be written: {error.strerror}") from error
    used = {"ASPACE_API_URL", "ASPACE_USERNAME", "ASPACE_STAFF_URL", "PRESERVATION_BUCKET", *_SECRETS}
    used |= {"STAGE_1_ORIGINAL_FILES", "STAGE_3_ORIGINAL_FILES", *_TAPE, "TAPE_LTFS_CMD", *_ISLANDORA}
    left = sorted(name for name in given if name not in used and name not in _NOT_NEEDED)
    return ImportedSettings(target, tuple(place for place, _ in secrets), tuple(left))


_ISLANDORA = (
    "ISLANDORA_URL", "ISLANDORA_WEBROOT", "ISLANDORA_SSH_USER", "ISLANDORA_SSH_HOST", "ISLANDORA_SSH_PORT",
)  # fmt: skip
_TAPE = ("TAPE_SSH_USER", "TAPE_SSH_HOST", "TAPE_SSH_PORT", "TAPE_LTO_MOUNTPOINT")


def _read(original: Path) -> Mapping[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str.upper  # type: ignore[method-assign, assignment] # as its documentation says to do it
    try:
        parser.read_string(original.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadDistillerySetting(path=original, reason=f"it cannot be read: {error}") from error
    except configparser.Error as error:
        reason = f"it is no settings.ini: {str(error).splitlines()[0]}"
        raise BadDistillerySetting(path=original, reason=reason) from error
    if not parser.has_section(_SECTION):
        raise BadDistillerySetting(path=original, reason=f"it has no section [{_SECTION}]")
    return {name: value.strip().strip("\"'") for name, value in parser.items(_SECTION)}


def _folders(given: Mapping[str, str], tables: _Tables, original: Path) -> None:
    for name, setting in (("STAGE_1_ORIGINAL_FILES", "scans"), ("STAGE_3_ORIGINAL_FILES", "done")):
        if given.get(name):
            tables[""][setting] = given[name]
    users = original.absolute().with_name(_USERS)
    if users.is_file():
        tables[""]["users"] = str(users)


def _services(given: Mapping[str, str], tables: _Tables) -> None:
    for name, setting in (("ASPACE_API_URL", "url"), ("ASPACE_USERNAME", "user"), ("ASPACE_STAFF_URL", "staff_url")):
        if given.get(name):
            tables["archivesspace"][setting] = given[name]
    tables["archivesspace"]["repository"] = _REPOSITORY
    if given.get("PRESERVATION_BUCKET"):
        tables["cloud"]["address"] = f"s3://{given['PRESERVATION_BUCKET']}"
    user, host, port, mount = (given.get(name, "") for name in _TAPE)
    if mount:
        there = f"{user}@{host}" if user and host else host
        tables["onsite"]["address"] = f"ltfs://{there}{f':{port}' if there and port else ''}/{mount.strip('/')}"
        if given.get("TAPE_LTFS_CMD"):
            tables["onsite"]["mount"] = [given["TAPE_LTFS_CMD"], mount]
            tables["onsite"]["unmount"] = ["umount", mount]
    url, webroot, user, host, port = (given.get(name, "") for name in _ISLANDORA)
    if url and webroot and user and host:
        ssh = f"{user}@{host}{f':{port}' if port else ''}"
        # The original had one publisher and one namespace of collections.
        known = {"publisher": "islandora7", "url": url, "ssh": ssh, "webroot": webroot, "namespace": _NAMESPACE}
        tables["access"] |= known


def _toml(tables: _Tables, original: Path) -> str:
    """The section; a JSON text is also a TOML basic string, and a list of them a TOML array."""
    lines = [f"# From {original.name} of the original Distillery. docs/howto/distillery.md has every setting."]
    for name, table in tables.items():
        if table or not name:
            lines += ["", f"[distillery.{name}]" if name else "[distillery]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _write(place: Path, text: str) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
