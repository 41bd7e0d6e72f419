"""A description in the payload or beside it: an RO-Crate that the bag carries, a Dataverse map (B521)."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.bagit.bag import PAYLOAD, Bag
from muniment.validation.crate import CRATE, ORE, Described, read_crate, read_ore
from muniment.validation.crates import check_described
from muniment.validation.findings import say


def description_of(bag: Bag) -> Described | None:
    """What the bag's RO-Crate (RO-Crate 1.2: its root is `data/`) or its OAI-ORE map says; None without either."""
    if f"{PAYLOAD}{CRATE}" in bag.tree.files:
        return read_crate(bag.tree.path(f"{PAYLOAD}{CRATE}"))
    if ORE in bag.tree.files:
        return read_ore(bag.tree.path(ORE))
    return None


def check_description(bag: Bag) -> Iterator[Finding]:
    """What is wrong with an RO-Crate in the bag: the bag itself is none the worse for it (B521)."""
    where = f"{PAYLOAD}{CRATE}"
    if where not in bag.tree.files:
        return
    for finding in check_described(bag.tree, where, read_crate(bag.tree.path(where))):
        wrong = f"it lists {finding.where}, which is not there" if finding.code == "R003" else finding.found
        yield say("B521", where, found=f"{wrong} is not reached from the root" if finding.code == "R004" else wrong)
