"""Parity: PAR2 sets beside the archived files, from which damaged ones are repaired.

A file of 102,400 bytes and up has a set of its own, named by its sha256; smaller ones share a pack.
Everything here works on plain files in folders the caller names: sets are made complete in a scratch folder and
handed over as a list, repaired bytes go to a new path. Syncing, publishing and swapping are the caller's.
"""

from __future__ import annotations

from muniment.archive.package.inventory import PARITY_FROM
from muniment.archive.parity.files import ParitySet, make_for_file, repair_file, verify_file
from muniment.archive.parity.many import make_many
from muniment.archive.parity.pack_index import Member
from muniment.archive.parity.packs import PACK, ToPack, make_for_pack, pack_members, repair_pack, verify_pack
from muniment.archive.parity.par2 import Outcome, Par2, Verdict
from muniment.archive.parity.sidecar import ParityFile, SetFault, check_set

__all__ = [
    "PACK",
    "PARITY_FROM",
    "Member",
    "Outcome",
    "Par2",
    "ParityFile",
    "ParitySet",
    "SetFault",
    "ToPack",
    "Verdict",
    "check_set",
    "make_for_file",
    "make_for_pack",
    "make_many",
    "pack_members",
    "repair_file",
    "repair_pack",
    "verify_file",
    "verify_pack",
]
