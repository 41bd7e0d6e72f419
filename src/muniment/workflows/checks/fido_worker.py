"""The process in which fido looks at files: what comes from outside may crash or stall it, and nothing else.

Each line of its input is a file, {"place": …, "name": …, "size": …}; each line of its output is the answer to one.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

_MEMORY = 2 << 30


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # fido tells people what it does; nobody reads that here.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    fido = Identifier()
    _say(answers, {"tool": fido.tool, "signatures": fido.signatures})
    for line in sys.stdin:
        try:
            said: dict[str, object] = {"formats": fido.identify(**json.loads(line))}
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one file, the next one is looked at
            said = {"failed": f"{type(error).__name__}: {error}"[:300]}
        _say(answers, said)


class Identifier:
    """fido with its signatures loaded."""

    def __init__(self) -> None:
        from fido.fido import CONFIG_DIR, Fido  # noqa: PLC0415 - within the limits

        versions = ET.parse(Path(CONFIG_DIR, "versions.xml")).getroot()  # noqa: S314 - its own file
        named = ("pronomSignature", "fidoExtensionSignature", "pronomContainerSignature")
        # Asked for by name: those it takes by itself need not be there.
        signatures, extensions, containers = (versions.findtext(name) or "" for name in named)
        self._fido = Fido(quiet=True, format_files=[signatures, *filter(None, [extensions])])
        self._containers = ET.parse(Path(CONFIG_DIR, containers))  # noqa: S314 - as above
        self.tool = f"fido {importlib.metadata.version('opf-fido')}"
        self.signatures = f"PRONOM {versions.findtext('pronomVersion') or 'unknown'}, {containers}"

    def identify(self, place: str, name: str, size: int) -> list[dict[str, str]]:
        """What the file may be, by its bytes, and by its name only where they say nothing."""
        fido = self._fido
        fido.current_file, fido.current_filesize = name, size
        matches: list[tuple[Any, object]] = []
        basis = "signature"
        if size:
            with open(place, "rb") as file:  # noqa: PTH123 - as it is given
                begin, end, _ = fido.get_buffers(file, size, seekable=True)
            matches = fido.match_formats(begin, end)
            inside = self._inside(matches, place)
            if inside:
                matches, basis = inside, "container"
        if not matches:
            matches, basis = fido.match_extensions(name), "extension"
        found = {}
        for form, _ in matches:
            texts = {"puid": "puid", "name": "name", "version": "version", "mime": "mime"}
            told = {key: form.findtext(tag) or "" for key, tag in texts.items()}
            found[told["puid"]] = {**told, "basis": basis}
        return list(found.values())

    def _inside(self, matches: list[tuple[object, object]], place: str) -> list[tuple[object, object]]:
        from fido.package import OlePackage, ZipPackage  # noqa: PLC0415 - as above

        packages = {"zip": ("ZIP", ZipPackage), "ole": ("OLE2", OlePackage)}
        kind = packages.get(str(self._fido.container_type(matches)))
        if kind is None:
            return []
        try:
            found: list[tuple[object, object]] = self._fido.match_container(*kind, place, self._containers)
        except Exception:  # noqa: BLE001 - a container that cannot be opened is still what its signature says
            return []
        return found


def _say(answers: Any, said: dict[str, object]) -> None:
    answers.write(json.dumps(said) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
