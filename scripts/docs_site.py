"""Build the site of the documentation into build/site: the pages as they are, in four kinds, with a search."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = {
    "Tutorial": ("docs/tutorial",),
    "How-tos": ("docs/howto/*",),
    "Reference": ("docs/reference/*", "docs/glossary", "docs/format*", "docs/verdicts"),
    "Explanation": ("ARCHITECTURE", "docs/durability", "docs/decisions/README", "docs/decisions/0*"),
    "Project": ("docs/README", "CHANGELOG", "CONTRIBUTING"),
}
"""Each part of the side bar with its pages."""
PAGES = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "LICENSE")
LINK = re.compile(r"\]\((?P<target>[^)\s:#]+)\)")
CONFIGURATION = """
project = "Muniment"
copyright = "The Muniment maintainers"
extensions = ["myst_parser"]
root_doc = "README"
html_theme = "furo"
html_title = "Muniment"
myst_heading_anchors = 4
# That links lead somewhere, those to files that are no pages too, tests/docs/test_site.py sees.
suppress_warnings = ["myst.xref_missing", "myst.header", "toc.not_included", "misc.highlighting_failure"]
html_copy_source = False
"""


def main() -> int:
    """Build it; the status is Sphinx's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "site")
    given = parser.parse_args()
    status = build(given.output.absolute())
    if status == 0:
        print(f"{given.output / 'index.html'}")
    return status


def build(output: Path) -> int:
    """Build the site at `output`; a warning is an error."""
    with tempfile.TemporaryDirectory(prefix="muniment-site-") as folder:
        source = Path(folder)
        for name in PAGES:
            place = ROOT / name
            if place.is_dir():
                shutil.copytree(place, source / name)
            else:
                shutil.copy2(place, source / name)
        copy_linked(source)
        (source / "conf.py").write_text(CONFIGURATION, encoding="utf-8")
        with (source / "README.md").open("a", encoding="utf-8") as file:
            file.write("".join(tree(title, pages) for title, pages in KINDS.items()))
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(source), str(output)]
        done = subprocess.run(command, check=False)
        if done.returncode == 0:
            shutil.copy2(output / "README.html", output / "index.html")
        return done.returncode


def copy_linked(source: Path) -> None:
    """Bring along what the pages link to and is no page of the site: a list of words, a unit for systemd."""
    for page in sorted(source.rglob("*.md")):
        for match in LINK.finditer(page.read_text(encoding="utf-8")):
            target = (page.parent / match["target"]).resolve()
            if not target.is_relative_to(source.resolve()) or target.exists():
                continue
            origin = ROOT / target.relative_to(source.resolve())
            if origin.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(origin, target)


def tree(title: str, pages: tuple[str, ...]) -> str:
    """A part of the side bar, as MyST writes it."""
    return "\n```{toctree}\n:caption: " + title + "\n:hidden:\n:glob:\n\n" + "\n".join(pages) + "\n```\n"


if __name__ == "__main__":
    raise SystemExit(main())
