"""The text on a page, read by tesseract where it is installed, within a time limit.

A page without its text is still a page.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_LARGEST = 16 << 20


@dataclass(frozen=True, slots=True)
class PageText:
    """The text, and the text with its places (hOCR)."""

    text: str
    hocr: str


ReadText = Callable[[Path, Path], PageText | None]
"""What reads a picture, given a scratch folder; None where there is no text to be had."""


def no_text(picture: Path, scratch: Path) -> PageText | None:
    """Read nothing."""
    del picture, scratch
    return None


def read_text(picture: Path, scratch: Path, *, seconds: float, language: str = "eng") -> PageText | None:
    """Read a picture; None where tesseract is not there, took too long, or failed."""
    program = shutil.which("tesseract")
    if program is None:
        return None
    base = scratch / "read"
    # Whole paths: a picture's own name is never taken for an option.
    command = [program, str(picture.absolute()), str(base.absolute()), "-l", language, "txt", "hocr"]
    try:
        subprocess.run(
            command,
            check=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8", "OMP_THREAD_LIMIT": "1", "PATH": "/usr/bin:/bin"},
        )
        return PageText(_read(base.with_suffix(".txt")), _read(base.with_suffix(".hocr")))
    except (subprocess.SubprocessError, OSError):
        return None
    finally:
        for ending in (".txt", ".hocr"):
            with contextlib.suppress(OSError):
                base.with_suffix(ending).unlink()


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_LARGEST).decode("utf-8", "replace")
