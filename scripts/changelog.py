"""Keep notes of changes: one file per change in changes/, gathered into CHANGELOG.md at a release."""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTES = ROOT / "changes"
CHANGELOG = ROOT / "CHANGELOG.md"
ABOUT = "README.md"

NAME = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*\.md$")
LONGEST = 600
UNRELEASED = "<!-- releases -->"


def main() -> int:
    """Check the notes, print the next release's, or with `--release` move them into CHANGELOG.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is wrong with the notes")
    parser.add_argument("--release", metavar="VERSION", help="gather the notes under this version")
    given = parser.parse_args()
    complaints = check()
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if complaints:
        return 1
    if given.release:
        release(given.release)
    elif not given.check:
        print(gathered())
    return 0


def notes() -> list[Path]:
    """The files of the changes, in the order of their names."""
    return sorted(path for path in NOTES.iterdir() if path.name != ABOUT)


def check() -> list[str]:
    """What is wrong with the notes, as sentences."""
    complaints: list[str] = []
    for path in notes():
        where = path.relative_to(ROOT)
        if not NAME.match(path.name):
            complaints.append(f"{where}: name it in small letters, as changes/what-changed.md.")
            continue
        text = path.read_text(encoding="utf-8").strip()
        if not text:
            complaints.append(f"{where} is empty; say in one or two sentences what a user sees.")
        elif len(text) > LONGEST:
            complaints.append(f"{where} has {len(text)} characters, at most {LONGEST}; the rest belongs into docs/.")
        elif text.startswith(("#", "-", "*")) or not text.endswith("."):
            complaints.append(
                f"{where}: write plain sentences, without a heading or a bullet; the last one ends with a full stop."
            )
    if UNRELEASED not in CHANGELOG.read_text(encoding="utf-8"):
        complaints.append(f"{CHANGELOG.name} has lost its line {UNRELEASED}, below which releases are put.")
    return complaints


def gathered() -> str:
    """The notes as a list in Markdown; their links begin a folder lower than those of the changelog."""
    items = (" ".join(path.read_text(encoding="utf-8").split()).replace("](../", "](") for path in notes())
    return "\n".join(f"- {item}" for item in items)


def release(version: str) -> None:
    """Put the notes into CHANGELOG.md under `version` with today's date, and remove their files."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    text = CHANGELOG.read_text(encoding="utf-8")
    section = f"{UNRELEASED}\n\n## {version} ({today})\n\n{gathered()}"
    CHANGELOG.write_text(text.replace(UNRELEASED, section, 1), encoding="utf-8")
    for path in notes():
        path.unlink()


if __name__ == "__main__":
    raise SystemExit(main())
