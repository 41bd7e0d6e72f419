"""Handing a thing over to Islandora 7 so that a broken line loses no answer: what is there is taken up again.

Its batch prepares a set and says the number once; who did not hear it would prepare another, and the first would stay.
So what a command says is written down there, beside the tree that it read. The folder of both has a name by which the
next attempt finds it. A lock in it is held while a command runs: sshd does not end what runs when a line breaks.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from muniment.errors.distillery import PublisherUnreachable, PublishingFailed
from muniment.publishers.islandora7.ssh import CommandResult, SshMachine, shown

_BUSY, _NEVER_ENDED, _NEVER_BEGUN = 75, 76, 77
_FOLDER = re.compile(r"/[A-Za-z0-9._/-]+")

_FIND = 'find "${TMPDIR:-/var/tmp}" -mindepth 1 -maxdepth 1 -type d -user "$(id -u)" -name "$1-*"'
# /var/tmp outlives a restart of the machine, as the sets do; the name's end is not to be guessed.
_MAKE = 'mktemp -d "${TMPDIR:-/var/tmp}/$1-XXXXXXXXXX"'
_DO = """at=$1; shift
"$@" >"$at.said" 2>"$at.told" </dev/null; ended=$?
echo "$ended" >"$at.ended"
cat "$at.told" >&2; cat "$at.said"; exit "$ended"
"""
_ANSWER = f"""[ -e "$1.said" ] || exit {_NEVER_BEGUN}
[ -s "$1.ended" ] || exit {_NEVER_ENDED}
cat "$1.ended" "$1.said"; cat "$1.told" >&2
"""
# Islandora's batch has no command that removes a set; its module has a function for it, which its own pages call.
_SUMS = 'find "$1/books" -name OBJ.jp2 -exec sha256sum -b {} +'
_DROP = """module_load_include('inc', 'islandora_batch', 'includes/db');
$sets = db_query("SELECT DISTINCT sid FROM {islandora_batch_queue} WHERE data LIKE :tree",
  array(':tree' => '%' . db_like('FOLDER/') . '%'))->fetchCol();
foreach ($sets as $set) { islandora_batch_delete_set($set); }
drush_print('sets removed: ' . count($sets));"""


class Intake:
    """One thing on its way into Islandora: its folder there, and what the preparation of its set answered."""

    def __init__(self, machine: SshMachine, drush: Sequence[str], thing: str, version: str) -> None:
        """`drush` is the command with the options that each call has; another `version` is not taken up."""
        self._machine, self._drush = machine, list(drush)
        self._name = f"muniment-{_short(thing)}"
        self._version = _short(version)
        self.folder = ""
        self.answer: CommandResult | None = None
        """What an earlier attempt was answered when it had the set prepared."""

    def look(self) -> None:
        """Find what earlier attempts left: the same thing is taken up, anything else removed.

        Raises:
            PublisherUnreachable: What an earlier attempt asked for is still being done.
            PublishingFailed: It cannot be told, or not be removed.
        """
        for folder in self._left():
            ran = self._machine.run([*_locked(folder), "sh", "-c", _ANSWER, "sh", f"{folder}/prepare"])
            if ran.status == _BUSY:
                raise PublisherUnreachable(
                    id=self._machine.target, reason="what it was asked for before the line broke is still being done"
                )
            if ran.status not in {0, _NEVER_ENDED, _NEVER_BEGUN}:
                raise PublishingFailed(id=folder, reason=shown(ran))
            status, _, said = ran.out.partition("\n")
            if ran.status == 0 and not self.folder and self._version in folder and status == "0":
                self.folder, self.answer = folder, CommandResult(0, said, ran.err)
                continue
            if ran.status != _NEVER_BEGUN:
                self._drop(folder)
            self._remove(folder)

    def send(self, tree: Path) -> None:
        """Bring a tree there.

        Raises:
            PublisherUnreachable, PublishingFailed: It is not there.
        """
        ran = self._machine.run(["sh", "-c", _MAKE, "sh", f"{self._name}-{self._version}"])
        folder = ran.out.strip()
        if ran.status != 0 or not _FOLDER.fullmatch(folder):
            raise PublishingFailed(id=self._machine.target, reason=f"it gave no temporary folder: {shown(ran)}")
        self.folder = folder
        self._machine.send(tree, folder)

    def prepare(self, command: str, *options: str) -> CommandResult:
        """Have the set prepared; what it answers is kept there."""
        return self._do("prepare", command, *options)

    def ingest(self, number: str) -> CommandResult:
        """Have a set ingested: of one that was begun, what was not ingested yet."""
        return self._do("ingest", "islandora_batch_ingest", f"--ingest_set={number}")

    def digests(self) -> list[str]:
        """The sha256 of each page's image in the tree that was sent, sorted; nothing where none was sent.

        Raises:
            PublisherUnreachable, PublishingFailed: They cannot be told.
        """
        if not self.folder:
            return []
        ran = self._machine.run(["sh", "-c", _SUMS, "sh", self.folder], seconds=86400)
        if ran.status != 0:
            raise PublishingFailed(id=self.folder, reason=f"its images cannot be read: {shown(ran)}")
        return sorted(line.split(" ")[0] for line in ran.out.splitlines())

    def give_up(self) -> None:
        """Remove what was prepared, of which nothing was ingested, and its folder.

        Raises:
            PublisherUnreachable, PublishingFailed: It was not removed.
        """
        if self.folder:
            self._drop(self.folder)
            self.remove()

    def remove(self) -> None:
        """Remove the folder there."""
        if self.folder:
            self._remove(self.folder)
        self.folder, self.answer = "", None

    # --- inside

    def _do(self, what: str, *words: str) -> CommandResult:
        at = f"{self.folder}/{what}"
        command = [*_locked(self.folder), "sh", "-c", _DO, "sh", at, *self._drush, *words]
        ran = self._machine.run(command, seconds=86400)
        if ran.status == _BUSY:
            raise PublisherUnreachable(id=self._machine.target, reason="what it was asked for is still being done")
        return ran

    def _left(self) -> list[str]:
        ran = self._machine.run(["sh", "-c", _FIND, "sh", self._name])
        found = ran.out.split("\n")[:-1]
        if ran.status != 0 or not all(_FOLDER.fullmatch(each) for each in found):
            raise PublishingFailed(id=self._machine.target, reason=f"its temporary folders: {shown(ran)}")
        return sorted(found)

    def _drop(self, folder: str) -> None:
        ran = self._machine.run([*self._drush, "php-eval", _DROP.replace("FOLDER", folder)], seconds=3600)
        if ran.status != 0 or "sets removed:" not in ran.out:
            reason = f"the set that was prepared from it cannot be removed: {shown(ran)}. Remove both there."
            raise PublishingFailed(id=folder, reason=reason)

    def _remove(self, folder: str) -> None:
        self._machine.run(["rm", "-rf", "--", folder])


@contextlib.contextmanager
def taken_in(machine: SshMachine, drush: Sequence[str], thing: str, version: str) -> Iterator[Intake]:
    """A thing on its way, for a `with` block: its folder there is removed after it, unless the line breaks.

    Raises:
        PublisherUnreachable, PublishingFailed: What earlier attempts left cannot be taken up, or not be removed.
    """
    made = Intake(machine, drush, thing, version)
    made.look()
    try:
        yield made
    except PublisherUnreachable:
        raise
    except BaseException:
        with contextlib.suppress(PublishingFailed):
            made.remove()
        raise
    made.remove()


def _locked(folder: str) -> list[str]:
    return ["flock", "-n", "-E", str(_BUSY), f"{folder}/lock"]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
