"""Putting what was committed in its places, from the intake or from the folder it was built in: anybody may."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from muniment.archive.bucket.intake import AT_ONCE, Intake, Seal, SealedObject, Staged
from muniment.archive.bucket.layout import declaration_key
from muniment.archive.package.inventory import NAME, parse_inventory
from muniment.archive.package.objects import declare
from muniment.errors.archive import DamagedRecord
from muniment.errors.stores import KeyNotFound, StoredWrong

if TYPE_CHECKING:
    from muniment.archive.bucket.home import BucketHome

_LOOKS = 20
"""Times that it is looked again at what is there, while others lay out and clear the same."""
_OTHERS = 64
"""Transactions that are looked at for what they have not told; who comes later looks at the rest."""
_One = TypeVar("_One")


def lay_out(home: BucketHome, seal: Seal, local: Sequence[Path]) -> bool:
    """Put all that was committed in its places; False where somebody else was faster, and cleared the intake.

    `local` are the folders the objects were built in, where these are here.

    Raises:
        MunimentError: Not all was done.
    """
    for attempt in range(_LOOKS):
        try:
            for count, each in enumerate(seal.objects):
                _lay_out_object(home, each, local[count] if local else None)
        except KeyNotFound:
            # It is being cleared, and then all lies in its place: the next look finds that.
            if home.keys.stat(Intake(home.keys, seal.transaction).end) is None:
                return False
            if attempt == _LOOKS - 1:
                raise
        else:
            break
    return True


def others_committed(home: BucketHome, transaction: str) -> list[Seal]:
    """The seals of other transactions that are committed and lie in the intake yet: some may not be in the log.

    Raises:
        MunimentError: It could not be told.
    """
    names = [each for each in home.killed.standing() if each != transaction]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="others") as pool:
        found = pool.map(lambda name: _committed(home, name), names[:_OTHERS])
        return [seal for seal in found if seal is not None]


def _committed(home: BucketHome, transaction: str) -> Seal | None:
    with contextlib.suppress(KeyNotFound, DamagedRecord):
        seal = Intake(home.keys, transaction).read_end()
        # By its bytes, which no other transaction has: so nothing is told of a store that keeps something else.
        if seal is not None and all(home.is_as_sealed(each) for each in seal.objects):
            return seal
    return None


def _lay_out_object(home: BucketHome, sealed: SealedObject, local: Path | None) -> None:
    """Put every file of an object in its place that is not there, then the sidecars."""
    folder = f"{sealed.place}v{sealed.number}/" if sealed.head == sealed.number else sealed.place
    # Of what was committed this moment nothing is there; if others were as quick, the same is put twice.
    listed = home.keys.list(folder) if local is None else ()
    there = {each.key.removeprefix(sealed.place): each.size for each in listed}
    missing = [(path, at) for path, at in sealed.files.items() if there.get(path) != at.size]
    expected = {} if local is not None or not missing else _expected(home, sealed)
    later = {f"v{number}/{NAME}" for number in range(sealed.number + 1, sealed.head + 1)}
    # The inventories of a history's later versions first: nothing lies in an object that none of them names.
    for path, at in sorted((each for each in missing if each[0] in later), key=lambda one: _version_of(one[0])):
        _lay_out_one(home, sealed, path, at, local, expected)
    content = [each for each in missing if each[0] not in later]
    _all_at_once(lambda one: _lay_out_one(home, sealed, *one, local, expected), content)
    for number, digest in enumerate(sealed.inventories, sealed.number):
        home.keys.put(f"{sealed.place}v{number}/{NAME}.{home.algorithm}", f"{digest} {NAME}\n".encode("ascii"))
    if sealed.number == 1:
        home.keys.put(declaration_key(sealed.place), declare(Path())[1])


def _lay_out_one(
    home: BucketHome, sealed: SealedObject, path: str, at: Staged, local: Path | None, expected: dict[str, str]
) -> None:
    if at.alone and (local is None or not home.worm):
        home.keys.copy(at.key, sealed.place + path)  # within the store, where its own bytes need not come here
    elif local is not None:
        home.keys.put(sealed.place + path, local / path)
    else:
        with home.keys.open(at.key, at.start, at.size) as stream:
            data = stream.read()
        found = hashlib.new(home.algorithm, data).hexdigest()
        if found != expected[path]:
            what = f"digest of {path!r}"
            raise StoredWrong(store=str(home.keys), key=at.key, what=what, found=found, expected=expected[path])
        home.keys.put(sealed.place + path, data)


def _expected(home: BucketHome, sealed: SealedObject) -> dict[str, str]:
    """The digest of everything that is staged of an object."""
    path = f"v{sealed.head}/{NAME}"
    with home.open(sealed.place, path) as stream:
        data = stream.read()
    found, wanted = hashlib.new(home.algorithm, data).hexdigest(), sealed.inventories[-1]
    if found != wanted:
        key = sealed.place + path
        raise StoredWrong(store=str(home.keys), key=key, what="digest", found=found, expected=wanted)
    inventory = parse_inventory(data.decode("utf-8", "replace"), Path(path))
    inventories = {f"v{number}/{NAME}": digest for number, digest in enumerate(sealed.inventories, sealed.number)}
    return inventories | {path: digest for digest, paths in inventory.manifest.items() for path in paths}


def _version_of(path: str) -> int:
    return int(path.partition("/")[0].removeprefix("v"))


def _all_at_once(work: Callable[[_One], object], items: Iterable[_One]) -> None:
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="laying-out") as pool:
        for _ in pool.map(work, items):
            pass
