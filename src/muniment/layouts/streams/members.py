"""Members: what goes into a streamed archive, which names are refused, and what makes its ETag."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Protocol, overload

from muniment.content import LogicalPath
from muniment.content.pieces import PieceBook
from muniment.errors.delivery import MembersCollide

_NO_DIGESTS: Mapping[str, str] = {}

# One strong digest proves the bytes; a second would only cost time. SHA-256 runs at twice the speed of
# SHA-512 where the processor has instructions for it. The weak ones serve when nothing else is known.
_PREFERENCE = ("sha256", "sha512", "sha384", "sha1", "md5")


@dataclass(slots=True)
class Member:
    """One file of a streamed archive; not to be changed, but `frozen` would take two microseconds for each.

    `size` is in bytes and is a promise: a member that turns out shorter or longer breaks the transfer.
    `modified` is in whole seconds since 1970 UTC. `open(offset)` gives the member's bytes from `offset`
    on; it is called when the member's turn comes, not before. `crc32` is used by zip alone and only
    spares reading; see `muniment.layouts.streams.zip`.
    """

    name: str
    size: int
    open: Callable[[int], BinaryIO]
    digests: Mapping[str, str] = field(default_factory=lambda: _NO_DIGESTS)
    modified: int = 0
    crc32: int | None = None
    book: PieceBook | None = None
    """Where the digests of its pieces are remembered, if it is large."""
    read: Callable[[int], bytes] | None = None
    """Gives all its bytes, told how many there should be, and one more if it is longer; for small files, where a
    stream costs more than its bytes."""

    def proof(self) -> tuple[str, str] | None:
        """The digest to check while the member is sent, as algorithm and value; None if none is known."""
        for algorithm in _PREFERENCE:
            value = self.digests.get(algorithm)
            if value is not None:
                return algorithm, value
        return None

    def member(self, name: str, modified: int) -> Member:
        """The same under this name and time."""
        same = name == self.name and modified == self.modified
        return self if same else replace(self, name=name, modified=modified)

    def whole(self) -> bytes:
        """All its bytes: of a file that is longer than it should be one more, of a shorter one fewer.

        Raises:
            OSError, MunimentError: They could not be had.
        """
        if self.read is not None:
            return self.read(self.size)
        with self.open(0) as file:
            found = file.read(self.size + 1)
            # What is not buffered may give less than there is.
            while len(found) < self.size and (more := file.read(self.size + 1 - len(found))):
                found += more
        return found


class MemberSource(Protocol):
    """What a member can be made of when it is asked for; a member itself is one."""

    def member(self, name: str, modified: int) -> Member:
        """The member under this name and time."""


class MadeMembers(Sequence[Member]):
    """Members that are made when they are asked for: of each its name, its time and what it is made of are kept.

    Of a hundred thousand this takes a fifth of the memory, where what they are made of is kept anyway.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._names: list[str] = []
        self._modified = array("q")
        self._sources: list[MemberSource] = []

    def add(self, name: str, modified: int, source: MemberSource) -> None:
        """Add one."""
        self._names.append(name)
        self._modified.append(modified)
        self._sources.append(source)

    def sort(self) -> None:
        """Put them in the order of their names."""
        order = sorted(range(len(self)), key=self._names.__getitem__)
        self._names = [self._names[index] for index in order]
        self._modified = array("q", [self._modified[index] for index in order])
        self._sources = [self._sources[index] for index in order]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> Member: ...

    @overload
    def __getitem__(self, index: slice) -> list[Member]: ...

    def __getitem__(self, index: int | slice) -> Member | list[Member]:
        """One of them, or several."""
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        return self._sources[index].member(self._names[index], self._modified[index])


def in_order(members: Iterable[Member]) -> Sequence[Member]:
    """The members by name in code point order, after refusing names that could not be unpacked safely.

    Raises:
        UnsafePath: A name is empty, absolute, holds '..' or NUL, or ends in '/'.
        NameNotUnicode: A name holds lone surrogates.
        MembersCollide: Two members have one name, or one is the folder of another.
        ValueError: A size is below zero.
    """
    ordered: Sequence[Member]
    if isinstance(members, MadeMembers):
        members.sort()
        ordered = members
    else:
        ordered = sorted(members, key=lambda member: member.name)
    names: set[str] = set()
    folders: set[str] = set()
    for member in ordered:
        path = LogicalPath.parse(member.name)
        if member.size < 0:
            message = f"{path}: a size of {member.size} bytes is impossible"
            raise ValueError(message)
        if path in names:
            raise MembersCollide(name=str(path), reason="the name is used twice")
        names.add(path)
        folder = path.rpartition("/")[0]
        # All parents of a known folder are known already, so each folder is cut apart once.
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    for both in sorted(names & folders):
        raise MembersCollide(name=both, reason="it is a file, and also the folder of another member")
    return ordered


def etag_of(form: str, members: Sequence[Member]) -> str:
    """A strong ETag in its quotes: equal for equal bytes, whatever the server and the hour.

    It covers form, names, sizes, digests and times. For a member without digests it can only be as good
    as its size and time: give digests wherever they are known.
    """
    hasher = hashlib.sha256(form.encode())
    for member in members:
        digests = ",".join(f"{algorithm}:{value}" for algorithm, value in sorted(member.digests.items()))
        # NUL cannot be part of a name, so no two lists of members can give the same text.
        hasher.update(f"\n{member.name}\0{member.size}\0{member.modified}\0{digests}".encode())
    return f'"{hasher.hexdigest()[:40]}"'
