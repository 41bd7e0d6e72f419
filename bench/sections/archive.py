"""The archive against copying, bagit-python, ocfl-py, restic and borg: taking in, auditing, parity, starting."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import subprocess
from pathlib import Path

from bench import data, peers
from bench.machine import scratch
from bench.racing import Command, Racer, Track, race

NO_PARITY = ("--no-parity",)
_FEW = 50
"""Entries of a folder below which it holds few files, each of them large."""


def run(*, rounds: int, quick: bool) -> None:
    """Print all tables of this section."""
    large, small = (5, 2_000) if quick else (20, 10_000)
    with scratch("archive", need=10 * large * data.LARGE + (rounds + 1) * 12 * small * data.SMALL_MOST) as home:
        start_up(home, rounds)
        for title, source in (
            (f"{small:,} files of 1-64 KiB", data.small_files(home / "small", small)),
            (f"{large} files of 100 MB", data.large_files(home / "large", large)),
        ):
            taking_in(title, source, home, rounds)
            auditing(title, source, home, rounds)
            parity(title, source, home, rounds)


def start_up(home: Path, rounds: int) -> None:
    """What it takes to say something short: the help, a list, one small file taken in."""
    kept, source, out = home / "started", home / "one", home / "out"
    for folder in (kept, source):
        folder.mkdir()
    (source / "file.txt").write_text("one small file\n")
    archive, restic, git = kept / "archive", kept / "restic", kept / "git"
    environment = {**peers.peer_environment(home), **_GIT}
    no_muniment = peers.missing_muniment() or _made(
        [peers.muniment(archive, "init"), peers.muniment(archive, "add", "--id", "bench", source)]
    )
    no_restic = peers.missing("restic") or _made(
        [*peers.restic_new(restic), *peers.restic_in(source, restic)], **environment
    )
    no_git = peers.missing("git") or _made([["cp", "-r", source, git], *_git_new(git), *_git_in(git)], **environment)
    track = Track(ready=lambda: None, clear=functools.partial(shutil.rmtree, out, ignore_errors=True), log=home / "log")
    python = Racer("python -c pass", timed=[[peers.PYTHON, "-c", "pass"]])
    racers = [
        python,
        Racer("muniment --help", timed=[[peers.BIN / "muniment", "--help"]], reason=no_muniment),
        Racer("restic help", timed=[["restic", "help"]], reason=no_restic),
        Racer("git help -a", timed=[["git", "help", "-a"]], reason=no_git),
    ]
    race("Start of the command line", racers, track, rounds)
    list_restic: list[str | Path] = ["restic", "--no-cache", "-q", "-r", restic, "snapshots"]
    racers = [
        python,
        Racer("muniment ls", timed=[peers.muniment(archive, "ls")], reason=no_muniment),
        Racer("restic snapshots", timed=[list_restic], environment=environment, reason=no_restic),
        Racer("git log", timed=[["git", "-C", git, "log", "--oneline"]], environment=environment, reason=no_git),
    ]
    race("Start, a list of one", racers, track, rounds)
    racers = [
        python,
        peers.muniment_racer("muniment add", source, out),
        peers.muniment_racer("muniment add --no-parity", source, out, add=NO_PARITY),
        Racer(
            "restic backup",
            before=peers.restic_new(out),
            timed=peers.restic_in(source, out),
            environment=environment,
            reason=peers.missing("restic"),
        ),
        Racer(
            "git add, git commit",
            before=[["cp", "-r", source, out], *_git_new(out)],
            timed=_git_in(out),
            environment=environment,
            reason=peers.missing("git"),
        ),
    ]
    race("Start, one small file taken in", racers, track, rounds)
    shutil.rmtree(kept)


_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "bench"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "bench@localhost"),
}
"""What git needs to commit as nobody in particular."""


def _git_new(out: Path) -> list[Command]:
    return [["git", "-C", out, "init", "-q"]]


def _git_in(out: Path) -> list[Command]:
    return [["git", "-C", out, "add", "."], ["git", "-C", out, "commit", "-q", "-m", "bench"]]


def taking_in(title: str, source: Path, home: Path, rounds: int) -> None:
    """Durable ingest: every side ends with its bytes on the disk."""
    out = home / "out"
    environment = peers.peer_environment(home)
    alone: list[str | Path] = [peers.PYTHON, "-m", "bench.copying_alone", source, out]
    racers = [
        Racer("cp -r, sync -f", timed=peers.copying(source, out)),
        peers.muniment_racer("muniment as it comes: sha512 + sha256, parity", source, out),
        peers.muniment_racer("muniment, sha512 + sha256, no parity", source, out, add=NO_PARITY),
        peers.muniment_racer("muniment, sha256, no parity", source, out, digest="sha256", add=NO_PARITY),
        Racer("its copying alone, sha256", timed=[[*alone, "sha256"]], environment=peers.python_path()),
        Racer(
            "its copying alone, sha512 + sha256", timed=[[*alone, "sha512", "sha256"]], environment=peers.python_path()
        ),
        Racer("bagit-python, sha512 + sha256", timed=peers.bagit_in(source, out), reason=peers.missing("bagit.py")),
        Racer("ocfl-py", timed=peers.ocfl_in(source, out), reason=peers.missing("ocfl-object.py")),
        Racer(
            "restic",
            before=peers.restic_new(out),
            timed=peers.restic_in(source, out),
            environment=environment,
            reason=peers.missing("restic"),
        ),
        Racer(
            "borg",
            before=peers.borg_new(out),
            timed=peers.borg_in(source, out),
            environment=environment,
            reason=peers.missing("borg"),
        ),
    ]
    race(f"Durable ingest, {title}", racers, _track(source, home), rounds)


def auditing(title: str, source: Path, home: Path, rounds: int) -> None:
    """Reading everything back and checking it; what is checked is made once, before."""
    kept = home / "kept"
    kept.mkdir()
    environment = peers.peer_environment(home)
    one, two, bag, single, restic, borg = (kept / name for name in ("one", "two", "bag", "single", "restic", "borg"))
    no_muniment = peers.missing_muniment() or _made(
        [peers.muniment(one, "init", "--digest", "sha256"), peers.muniment(two, "init")]
        + [peers.muniment(place, "add", *NO_PARITY, "--id", "bench", source) for place in (one, two)]
    )
    no_bag = peers.missing("bagit.py") or _made(
        [*peers.bagit_in(source, bag), *peers.bagit_in(source, single, "--sha256")]
    )
    no_restic = peers.missing("restic") or _made(
        peers.restic_new(restic) + peers.restic_in(source, restic), **environment
    )
    no_borg = peers.missing("borg") or _made(peers.borg_new(borg) + peers.borg_in(source, borg), **environment)
    validate: list[str | Path] = [peers.BIN / "bagit.py", "--validate", "--processes", "2", "--quiet"]
    digest = 'find "$1" -type f -print0 | xargs -0 -n 64 -P 2 openssl dgst -sha256 >/dev/null'
    racers = [
        Racer("bagit.py, 2 processes, reads sha256 alone", timed=[[*validate, single]], reason=no_bag),
        Racer("muniment audit, reads sha256 alone", timed=[peers.muniment(one, "audit")], reason=no_muniment),
        Racer("muniment audit of two digests, reads sha256", timed=[peers.muniment(two, "audit")], reason=no_muniment),
        Racer("bagit.py, 2 processes, reads both digests", timed=[[*validate, bag]], reason=no_bag),
        Racer(
            "muniment audit --every-digest, reads both",
            timed=[peers.muniment(two, "audit", "--every-digest")],
            reason=no_muniment,
        ),
        Racer("the floor: openssl, sha256, 2 at once", timed=[["sh", "-c", digest, "sh", source]]),
        Racer(
            "restic check --read-data",
            timed=[["restic", "--no-cache", "-q", "-r", restic, "check", "--read-data"]],
            environment=environment,
            reason=no_restic,
        ),
        Racer(
            "borg check --verify-data",
            timed=[["borg", "check", "--verify-data", borg]],
            environment=environment,
            reason=no_borg,
        ),
    ]
    track = Track(ready=functools.partial(data.warm, kept), clear=lambda: None, log=home / "log")
    race(f"Audit, {title}", racers, track, rounds)
    shutil.rmtree(kept)


def parity(title: str, source: Path, home: Path, rounds: int) -> None:
    """What recovery data cost on top of taking in."""
    out = home / "out"
    single = (
        'mkdir "$2" && for f in "$1"/*.bin; do par2 create -q -q -r5 -B "$1" "$2/${f##*/}.par2" "$f" || exit 1; done'
    )
    whole = 'mkdir "$2" && par2 create -q -q -r5 -R -B "$1" "$2/all.par2" "$1"/*'
    each = any(source.glob("*.bin"))
    script = single if each else whole
    racers = [
        peers.muniment_racer("muniment add --no-parity", source, out, add=NO_PARITY),
        peers.muniment_racer("muniment add", source, out),
        Racer(
            f"par2 alone, its defaults, {'one set for each file' if each else 'one set'}",
            timed=[["sh", "-c", script, "sh", source, out]],
            environment={"PATH": peers.search_path()},
            reason=peers.missing("par2"),
        ),
    ]
    race(f"Parity of 5 %, {title}", racers, _track(source, home), rounds)


def _track(source: Path, home: Path) -> Track:
    few = sum(1 for _ in source.iterdir()) < _FEW
    clear = functools.partial(shutil.rmtree, home / "out", ignore_errors=True)
    return Track(
        ready=functools.partial(data.warm, source),
        clear=clear if few else functools.partial(_set_aside, home / "out", home / "aside"),
        log=home / "log",
        memory=data.size_of(source),
    )


def _set_aside(out: Path, aside: Path) -> None:
    """Move what a turn wrote out of the way and out of the memory, without removing it.

    ext4 passes over files removed in the last minutes one by one whenever it makes a file, so whoever
    comes after the removal of ten thousand would be slower for it, and packers of few files would not.
    """
    if not out.exists():
        return
    os.sync()
    data.forget(out)
    aside.mkdir(exist_ok=True)
    free = next(place for number in itertools.count() if not (place := aside / str(number)).exists())
    out.rename(free)


def _made(commands: list[Command], **environment: str) -> str:
    """Run what has to be there before an audit; why it could not be made, or nothing."""
    for command in commands:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env={**os.environ, **environment},
        )
        if done.returncode:
            return f"{Path(command[0]).name} ended with {done.returncode}"
    return ""
