"""Judge one bag that lies in a folder: the list of its rules."""

from __future__ import annotations

import os
from collections.abc import Iterator

from muniment.content import Finding, Progress
from muniment.validation.bagit.bag import Bag
from muniment.validation.bagit.completeness import (
    check_listed_is_there,
    check_there_is_listed,
    check_twins,
    find_stand_ins,
)
from muniment.validation.bagit.declaration import read_declaration
from muniment.validation.bagit.description import check_description
from muniment.validation.bagit.fetch import read_fetch
from muniment.validation.bagit.fixity import check_fixity
from muniment.validation.bagit.kinds import check_empty_folders, check_kinds, check_names, check_payload_folder
from muniment.validation.bagit.manifests import check_strength, check_tag_manifests, read_manifests
from muniment.validation.bagit.metadata import check_oxum, read_metadata
from muniment.validation.bagit.profile import Profile, check_profile
from muniment.validation.findings import say
from muniment.validation.tree import scan


def judge_folder(
    path: str | os.PathLike[str],
    profile: Profile | None,
    serialisation: str,
    progress: Progress,
    jobs: int | None,
) -> Iterator[Finding]:
    """Every finding of the bag in the folder `path`.

    Args:
        path: The folder that holds bagit.txt.
        profile: What else the bag is held against.
        serialisation: The media type of the file the bag came in, '' for a folder.
        progress: Told of each batch of files whose digests were compared.
        jobs: Files read at a time; by default one per processor.
    """
    bag = Bag(scan(path))
    if "" in bag.tree.unread:
        yield say("B901", os.fspath(path), found=bag.tree.unread[""])
        return
    yield from read_declaration(bag)
    yield from check_payload_folder(bag)
    yield from check_kinds(bag)
    yield from read_metadata(bag)
    yield from read_manifests(bag)
    yield from read_fetch(bag)
    yield from check_tag_manifests(bag)
    yield from find_stand_ins(bag)
    yield from check_listed_is_there(bag)
    yield from check_there_is_listed(bag)
    yield from check_oxum(bag)
    yield from check_twins(bag)
    yield from check_names(bag)
    yield from check_empty_folders(bag)
    yield from check_strength(bag)
    yield from check_description(bag)
    if profile:
        yield from check_profile(bag, profile, serialisation)
    yield from check_fixity(bag, progress, jobs)
