"""Rot: one random damage to one random file of an archive, and what must be true of the archive then."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import stat
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muniment.archive import Archive
from muniment.archive.package.objects import newest_inventory
from muniment.archive.parity import Outcome, verify_file, verify_pack
from muniment.archive.parity.protect import file_set_folder, pack_folder
from muniment.errors.base import MunimentError
from muniment.testing import faults
from tests.crash.scenes import AGENT, open_archive

LARGEST_WAIT = 120
"""Seconds after which a case counts as hanging."""
LARGE = 102_400

KINDS: list[tuple[str, str]] = [
    ("parity/files/", "parity of a file"),
    ("parity/packs/", "parity of a version"),
    ("parity/events/", "log's mirror"),
    ("events/", "log"),
    ("tombstones/", "tombstone"),
    ("staging/", "staging"),
    ("index.db", "index"),
]


def kind_of(root: Path, place: str) -> str:
    """What a file of an archive is."""
    parts = place.split("/")
    if parts[0] == "objects" and len(parts) > 4:
        if "/content/data/" in place:
            size = (root / place).stat().st_size
            return "large file" if size >= LARGE else "small file" if size else "empty file"
        if "/content/" in place:
            return "tag file"
        if parts[-1].startswith("0="):
            return "declaration"
        where = "root" if len(parts) == 5 else "version"
        return f"{where}'s {'inventory' if place.endswith('.json') else 'sidecar'}"
    return next((kind for prefix, kind in KINDS if place.startswith(prefix)), "root file")


def make_archive(root: Path, mode: str) -> None:
    """An archive with files of every kind, and a transaction that somebody left."""
    chance = random.Random(1)
    with Archive.init(root, mode=mode, agent=AGENT, workers=0) as archive:
        with archive.new("alpha") as transaction:
            transaction.add(chance.randbytes(150_000), "large.bin")
            transaction.add(b"", "empty.txt")
            for number in range(10):
                transaction.add(chance.randbytes(chance.randrange(20, 9000)), f"d/{number}.bin")
        with archive.get("alpha", "a") as transaction:
            transaction.add(chance.randbytes(130_000), "second.bin")
            transaction.replace(b"hello\n", "d/1.bin")
            transaction.delete("d/2.bin")
        with archive.new("beta") as transaction:
            transaction.add(b"beta beta\n" * 9, "b.txt")
            transaction.add(b"same\n", "one")
            transaction.add(b"same\n", "two")
        if mode == "dynamic":
            with archive.new("dead") as transaction:
                transaction.add(b"x", "x")
            archive.purge("dead", "for the test")
        pending = archive.new("pending")
        pending.add(b"pending", "p.txt")
        pending.leave()
        assert len(list(archive)) == 2
        assert not [finding for finding in archive.audit() if finding.failed]


class Ways:
    """The sixteen ways in which a file can rot; each returns whether anything changed."""

    def __init__(self, chance: random.Random, alike: list[str]) -> None:
        self._chance = chance
        self._alike = alike

    def all(self) -> list[str]:
        return sorted(name for name in dir(self) if not name.startswith("_") and name not in {"all", "strike"})

    def strike(self, root: Path, place: str, way: str) -> bool:
        before = _seen(root)
        getattr(self, way)(root / place, root, place)
        return _seen(root) != before

    def flip(self, path: Path, *_: object) -> None:
        self._flip(path, 1)

    def _flip(self, path: Path, count: int) -> None:
        data = bytearray(path.read_bytes())
        for _ in range(count if data else 0):
            data[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)
        path.write_bytes(data)

    def flip_eight(self, path: Path, *_: object) -> None:
        self._flip(path, 8)

    def truncate(self, path: Path, *_: object) -> None:
        if path.stat().st_size:
            os.truncate(path, self._chance.randrange(path.stat().st_size))

    def extend(self, path: Path, *_: object) -> None:
        with path.open("ab") as file:
            file.write(self._chance.randbytes(self._chance.randrange(1, 600)))

    def zeros(self, path: Path, *_: object) -> None:
        data = bytearray(path.read_bytes())
        if data:
            start = self._chance.randrange(len(data))
            length = min(len(data) - start, self._chance.choice([1, 64, 512, 4096]))
            data[start : start + length] = bytes(length)
            path.write_bytes(data)

    def delete(self, path: Path, *_: object) -> None:
        path.unlink()

    def swap(self, path: Path, root: Path, place: str) -> None:
        others = [other for other in self._alike if other != place]
        if others:
            other = root / self._chance.choice(others)
            aside = path.with_name("aside")
            path.rename(aside)
            other.rename(path)
            aside.rename(other)

    def rename(self, path: Path, *_: object) -> None:
        path.rename(path.with_name(path.name + self._chance.choice([".bak", "~", "x"])))

    def stranger(self, path: Path, *_: object) -> None:
        name = self._chance.choice(["zz", "extra.txt", ".hidden", "Thumbs.db", "inventory.json.bak"])
        path.with_name(name).write_bytes(b"extra")

    def no_rights(self, path: Path, *_: object) -> None:
        path.chmod(0)

    def link_elsewhere(self, path: Path, root: Path, place: str) -> None:
        elsewhere = root.with_name(f"{root.name}-moved")
        shutil.move(path, elsewhere)
        path.symlink_to(elsewhere)

    def link_to_itself(self, path: Path, *_: object) -> None:
        path.unlink()
        path.symlink_to(path.name)

    def folder(self, path: Path, *_: object) -> None:
        path.unlink()
        path.mkdir()

    def pipe(self, path: Path, *_: object) -> None:
        path.unlink()
        os.mkfifo(path)

    def empty(self, path: Path, *_: object) -> None:
        path.write_bytes(b"")

    def garbage(self, path: Path, *_: object) -> None:
        path.write_bytes(self._chance.randbytes(path.stat().st_size))


def _seen(root: Path) -> dict[str, str]:
    """Every file with its digest, everything else with what it is."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in [*names, *folders]:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            place = str(path.relative_to(root))
            if stat.S_ISREG(mode):
                data = path.read_bytes()
                found[place] = f"{stat.S_IMODE(mode):o} {hashlib.sha256(data).hexdigest()}"
            elif not stat.S_ISDIR(mode):
                found[place] = f"something else: {stat.S_IFMT(mode)}"
            elif not any(path.iterdir()):
                found[place] = "an empty folder"
    return found


Truth = dict[tuple[str, int, str], str]


def truth_of(root: Path) -> Truth:
    """The digest of every file of every instance."""
    with open_archive(root) as archive:
        return {
            (id, instance.number, path): hashlib.sha256(instance.read(path)).hexdigest()
            for id in archive
            for instance in archive.history(id)
            for path in instance
        }


@dataclass(slots=True)
class Case:
    """One damage and what came of it."""

    place: str
    kind: str
    way: str
    result: str = ""
    """In one word for the table: `named`, `put right` by the opening, `harmless`."""
    repaired: str = ""
    faults: list[str] = field(default_factory=list)
    """What must not be."""


class Campaign:
    """Damages copies of one archive."""

    def __init__(self, folder: Path, mode: str) -> None:
        self.mode = mode
        self.prepared = folder / mode
        self._folder = folder
        make_archive(self.prepared, mode)
        self._truth = truth_of(self.prepared)
        self._before = _seen(self.prepared)
        self._files: dict[str, list[str]] = defaultdict(list)
        for place, what in sorted(self._before.items()):
            is_file = not what.startswith(("something", "an empty"))
            if is_file and not place.endswith(("-wal", "-shm")):
                self._files[kind_of(self.prepared, place)].append(place)

    def case(self, seed: int) -> Case | None:
        """Do the damage that belongs to a number, and judge; None where it would have changed nothing."""
        chance = random.Random(seed)
        kind = chance.choice(sorted(self._files))
        place = chance.choice(self._files[kind])
        ways = Ways(chance, self._files[kind])
        case = Case(place, kind, chance.choice(ways.all()))
        root = self._folder / f"struck-{self.mode}"
        shutil.copytree(self.prepared, root, symlinks=True)
        try:
            if not ways.strike(root, place, case.way):
                return None
            self._judge(root, case)
        finally:
            shutil.rmtree(root)
            root.with_name(f"{root.name}-moved").unlink(missing_ok=True)
        return case

    def _judge(self, root: Path, case: Case) -> None:
        within = self._within_parity(root, case)
        struck = _seen(root)

        def task(_: faults.Counting) -> dict[str, Any]:
            signal.alarm(LARGEST_WAIT)
            return self._use(root)

        try:
            outcome = faults.run(task, str(root))
        except RuntimeError:
            case.faults.append("it hangs, or the process was killed")
            return
        if outcome.error:
            case.faults.append(outcome.trace if not outcome.expected_error else outcome.error)
            return
        said: dict[str, Any] = outcome.answer
        case.faults += said["wrong"]
        self._judge_naming(case, said, struck)
        self._judge_repair(root, case, said, within=within)

    def _use(self, root: Path) -> dict[str, Any]:
        """Open, list, read, audit, repair, audit again: what each says, in plain data."""
        wrong: list[str] = []
        with open_archive(root) as archive:
            recovered = [event.event for event in archive.recovered]
            ids = sorted(archive)
            if ids != ["alpha", "beta"]:
                wrong.append(f"listed are {ids}")
            wrong += self._read_all(archive)
            found = [(each.code, each.where, each.failed) for each in archive.audit()]
            done = [(each.where, each.repaired, each.how) for each in archive.repair()]
            left = [(each.code, each.where, each.failed) for each in archive.audit()]
            wrong += self._read_all(archive)
            still = {where for _, where, failed in left if failed}
            wrong += [
                f"said to be repaired, and is not: {where}: {how}" for where, ok, how in done if ok and where in still
            ]
            silent = still - {where for where, _, _ in done}
            wrong += [f"repair said nothing of {where}" for where in sorted(silent)]
        return {"wrong": wrong, "recovered": recovered, "found": found, "done": done, "left": left}

    def _read_all(self, archive: Archive) -> list[str]:
        """Every file read must be right or refused."""
        wrong = []
        for (id, number, path), digest in self._truth.items():
            try:
                data = archive.get(id, instance=number).read(path)
            except MunimentError:
                continue
            if hashlib.sha256(data).hexdigest() != digest:
                wrong.append(f"wrong bytes came out of {id} {number} {path}")
        return wrong

    def _judge_naming(self, case: Case, said: dict[str, Any], struck: dict[str, str]) -> None:
        failed = [f"{code} {where}" for code, where, is_failure in said["found"] if is_failure]
        told = {code for code, _, _ in said["found"]} & {"M302", "M401", "M502"}
        if failed:
            case.result = "named"
        elif said["recovered"] or told:
            case.result = "put right" if said["recovered"] or "M502" in told else "named"
        elif case.kind in {"staging", "index"} or case.way == "no_rights":
            case.result = "harmless"
        elif case.kind in {"log", "log's mirror"}:
            # What a power cut may leave of them an opening puts right, and says so only of the log.
            case.result = "put right"
        else:
            case.result = "unnoticed"
            case.faults.append("nobody named it")

    def _judge_repair(self, root: Path, case: Case, said: dict[str, Any], *, within: bool | None) -> None:
        left = [f"{code} {where}" for code, where, is_failure in said["left"] if is_failure]
        case.repaired = "all right" if not left else "left"
        right = self._before.get(case.place)
        now = _seen(root).get(case.place)
        if within and self.mode != "worm" and now != right and case.way != "no_rights":
            case.faults.append(f"the parity reaches, and it is not repaired: {said['done']}")
        elsewhere = {"log", "log's mirror", "staging", "index"}
        # A sidecar that was made anew says when that was.
        made_anew = case.place.endswith(".par2.json")
        may_differ = self.mode == "worm" or case.way == "no_rights" or case.kind in elsewhere or made_anew
        if not left and now != right and not may_differ:
            case.faults.append(f"nothing is found any more, and {case.place} is not as it was")

    def _within_parity(self, root: Path, case: Case) -> bool | None:
        """Whether par2 says of a content file that its parity reaches; None for what is no content."""
        if case.kind not in {"large file", "small file", "tag file"} or case.way in {"stranger", "no_rights"}:
            return None
        scratch = root.with_name(f"{root.name}-scratch")
        scratch.mkdir()
        try:
            return self._verdict(root, case, scratch) in {Outcome.INTACT, Outcome.REPAIRABLE}
        finally:
            shutil.rmtree(scratch)

    def _verdict(self, root: Path, case: Case, scratch: Path) -> Outcome:
        with open_archive(self.prepared) as archive:
            layout = archive.context.layout
            parts = case.place.split("/")
            at = self.prepared.joinpath(*parts[:4])
            name = "/".join(parts[4:])
            if case.kind == "large file":
                inventory, _ = newest_inventory(at, "sha512")
                sha256 = inventory.digests_of([name])[name]["sha256"]
                return verify_file(
                    _readable(root / case.place), sha256, file_set_folder(layout, sha256), scratch
                ).outcome
            folder = pack_folder(layout, at, int(parts[4][1:]))
            names = {path for path in self._before if path.startswith("/".join(parts[:4]) + "/")}
            present = {path.split("/", 4)[4]: _readable(root / path) for path in names}
            return verify_pack(folder, present, scratch).outcome


def _readable(path: Path) -> Path:
    """A path that par2 may be given: of what is no file, one at which nothing lies."""
    return path if path.is_file() else path.with_name("nothing-here")
