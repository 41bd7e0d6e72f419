"""The demonstration: an archive from its founding to damage, repair and the judgement of other people's programs.

Run by `make demo`. Every step is a command a user would type; it is printed before it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts import (
    demo_bucket,
    demo_ckan,
    demo_copies,
    demo_distillery,
    demo_evidence,
    demo_fetch,
    demo_nexus,
    demo_osf,
    demo_server,
)

HERE = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
DOCUMENTS = Path("/usr/share/doc")
FINDINGS = 1
SHOWN = 12

console = Console(highlight=False)


class Demo:
    """The steps in their order, and what each of them showed."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.archive = work / "archive"
        self.summary: list[tuple[str, str]] = []
        self.environment = {**os.environ, "MUNIMENT_ARCHIVE": str(self.archive)}

    def run(self, *command: str | Path, expect: int = 0, show: bool = True) -> str:
        """Run a command in sight of the user; end the demonstration if it does not do what it should."""
        words = [str(word) for word in command]
        console.print(f"[bold green]$[/] {shlex.join(words)}")
        done = subprocess.run(words, env=self.environment, stdout=subprocess.PIPE, text=True, check=False)
        if show and done.stdout:
            lines = done.stdout.splitlines()
            console.print("\n".join(lines[:SHOWN]) + ("\n…" if len(lines) > SHOWN else ""), style="dim", markup=False)
        if done.returncode != expect:
            console.print(f"[bold red]exit {done.returncode}, expected {expect}")
            raise SystemExit(1)
        return done.stdout

    def muniment(self, *arguments: str | Path, expect: int = 0, show: bool = True) -> str:
        """Run one of Muniment's commands on the demonstration's archive."""
        return self.run(BIN / "muniment", *arguments, expect=expect, show=show)

    def say(self, title: str) -> None:
        """Begin a chapter."""
        console.print()
        console.rule(f"[bold]{title}", align="left")

    def note(self, what: str, result: str) -> None:
        """Keep a line for the closing summary."""
        self.summary.append((what, result))

    def all(self) -> None:
        """Everything, in order."""
        started = time.monotonic()
        self.put_in()
        self.add_second_instance()
        demo_fetch.chapter(self)
        self.damage_and_repair()
        self.carry_away()
        demo_evidence.chapter(self)
        demo_server.chapter(self)
        demo_nexus.chapter(self)
        demo_osf.chapter(self)
        demo_ckan.chapter(self)
        demo_distillery.chapter(self)
        demo_copies.chapter(self)
        demo_bucket.chapter(self)
        self.leave_without_muniment()
        table = Table(title="What was shown", title_style="bold", show_header=False)
        for what, result in self.summary:
            table.add_row(what, result)
        console.print()
        console.print(table)
        console.print(f"[bold green]Done[/] in {time.monotonic() - started:.0f} s. The archive was in {self.work}.")

    def put_in(self) -> None:
        """Found the archive and put in this project and the machine's documentation."""
        self.say("An archive, and the first things in it")
        self.muniment("init")
        bundle = self.work / "muniment.bundle"
        given: list[Path] = []
        if (HERE / ".git").exists():
            self.run("git", "-C", HERE, "bundle", "create", "--quiet", bundle, "HEAD", show=False)
            given.append(bundle)
            tree = self.work / "tree"
            tree.mkdir()
            tar = self.work / "tree.tar"
            self.run("git", "-C", HERE, "archive", "--format=tar", f"--output={tar}", "HEAD", show=False)
            self.run("tar", "-C", tree, "-xf", tar, show=False)
        else:
            tree = self.work / "tree"
            shutil.copytree(HERE, tree, ignore=shutil.ignore_patterns(".venv*", "__pycache__", ".*_cache"))
        given.append(tree)
        self.muniment("add", *given, "--id", "muniment", "-m", "The project itself")
        self.muniment("add", DOCUMENTS, "--id", "documentation", "-m", "This machine's documentation")
        rows = json.loads(self.muniment("ls", "--json", show=False))
        for row in rows:
            self.note(row["id"], f"{row['files']:,} files, {row['bytes'] / 1e6:,.1f} MB, instance {row['head']}")
        self.muniment("ls")

    def add_second_instance(self) -> None:
        """Add an instance; the first stays as it was, and what did not change is not stored again."""
        self.say("A second instance")
        extra = self.work / "CHANGES.txt"
        extra.write_text("A later thought.\n", "utf-8")
        before = _bytes_below(self.archive / "objects")
        self.muniment("add", self.work / "tree", extra, "--id", "muniment", "-m", "With a later thought")
        grown = _bytes_below(self.archive / "objects") - before
        self.muniment("show", "muniment")
        self.note("second instance", f"the same files again: {grown / 1000:,.0f} kB more on disk")

    def damage_and_repair(self) -> None:
        """Flip a byte in one file, lose another, and get both back."""
        self.say("Audit, damage, repair")
        self.muniment("audit")
        damaged = self._choose_victims()
        with damaged[0].open("r+b") as file:
            file.seek(damaged[0].stat().st_size // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 0xFF]))
        damaged[1].unlink()
        console.print(f"Flipped a byte in   {damaged[0].name}\nDeleted             {damaged[1].name}", markup=False)
        found = json.loads(self.muniment("audit", "--json", expect=FINDINGS, show=False))
        named = [finding for finding in found["findings"] if finding["severity"] == "error"]
        for finding in named:
            console.print(f"  {finding['code']}  {finding['message']}", style="yellow", markup=False)
        if {Path(finding["where"]).name for finding in named} != {path.name for path in damaged}:
            raise SystemExit("the audit did not name exactly the damaged files")
        self.note("audit after damage", f"{len(named)} findings, both files named, exit status {FINDINGS}")
        self.muniment("repair")
        self.muniment("audit", show=False)
        self.note("repair", "both files repaired from parity, the next audit is clean")

    def carry_away(self) -> None:
        """Export, and let programs that are not ours judge what was written."""
        self.say("Carried away, and judged by others")
        bag = self.work / "documentation-bag"
        self.muniment("export", "documentation", "--layout", "bag", "-o", bag)
        self.run(BIN / "bagit.py", "--validate", "--quiet", bag)
        self.note("bagit.py --validate", "valid")
        self.run("sh", "-c", f"cd {shlex.quote(str(bag))} && sha512sum --quiet -c manifest-sha512.txt")
        self.note("sha512sum -c", "every file of the manifest")
        objects = [path.parent for path in (self.archive / "objects").rglob("0=ocfl_object_1.1")]
        verdict = self.run(BIN / "ocfl-validate.py", *objects)
        if "[W" in verdict or "INVALID" in verdict:
            raise SystemExit("ocfl-validate.py has something to say")
        self.note("ocfl-validate.py", f"{len(objects)} objects valid, no warnings")

    def leave_without_muniment(self) -> None:
        """Check the archive with the one file that lies in it, on a bare interpreter."""
        self.say("Without Muniment")
        self.run("python3", "-I", "-S", self.archive / "muniment_exit.py", "verify")
        self.note("muniment_exit.py verify", "every digest, by the standard library alone")

    def _choose_victims(self) -> tuple[Path, Path]:
        """A large file and a small one: they are repaired by different kinds of parity."""
        listing: list[dict[str, Any]] = json.loads(self.muniment("show", "documentation", "--json", show=False))[
            "instances"
        ]
        assert listing
        root = Path(json.loads(self.muniment("show", "documentation", "--json", show=False))["path"])
        files = sorted((path.stat().st_size, path) for path in (root / "v1/content/data").rglob("*") if path.is_file())
        return files[-1][1], files[len(files) // 2][1]


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Run the demonstration in a fresh folder, which is removed afterwards unless it is to be kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="use this new folder, and leave it there")
    parser.add_argument("--serve", action="store_true", help="end with the archive open for a browser")
    options = parser.parse_args()
    work = options.keep or Path(tempfile.mkdtemp(prefix="muniment-demo-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        demo = Demo(work)
        demo.all()
        if options.serve:
            demo_server.keep_serving(demo)
    finally:
        if not options.keep:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
