"""Whether the stores can do what a policy asks of them, asked before anything is sent."""

from __future__ import annotations

import time
from collections.abc import Iterator

from muniment.errors.base import MunimentError
from muniment.stores import PutOptions
from muniment.workflows.copies.policy import Policy
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.writer import lock_of


def troubles(service: CopyService, policy: Policy) -> Iterator[str]:
    """What stands in the way of a policy, a sentence for each."""
    if not policy.copies:
        yield f"The policy of {policy.project} asks for no copies."
    for rule in policy.copies:
        try:
            store = service.registry.open(rule.store)
            store.preflight(PutOptions(lock_of(rule.lock, time.time())), size=1)
        except MunimentError as error:
            yield error.message
            continue
        if store.capabilities.cold and store.capabilities.checksums and rule.read_back:
            yield (
                f"{rule.store}: a copy counts when it was read back, for which each key is restored there; with "
                "`read_back = false` the checksums that the service states are enough."
            )
        if rule.layout == "ocfl" and store.capabilities.packs:
            yield f"{rule.store}: the layout ocfl puts every file under a key; bag puts one tar for each instance."
