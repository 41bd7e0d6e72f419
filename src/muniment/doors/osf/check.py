"""The nightly check: some of each registration store is read back, and the next night goes on where this one ended."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

from muniment.doors.osf.calls import OsfStep
from muniment.doors.osf.context import RegistrationContext
from muniment.doors.osf.repair import Damage, look
from muniment.errors.registration import RegistrationDamaged
from muniment.jobs import Call, Context, Done, Json
from muniment.jobs.schedules import Period
from muniment.stores import Store

KIND = "osf-check"
CHECK, DAMAGED = "osf.check", "osf.damaged"
PERIOD = "osf check of registrations"
AT = "30 1 * * *"
"""Every night, in UTC."""
_NAMED = 100
"""Damages that a result names; `muniment registration verify` tells all."""

logger = logging.getLogger(__name__)


class CheckStep(OsfStep):
    """Read a part of each store back."""

    name = CHECK

    def run(self, given: Json, context: Context) -> Done:
        """Read as many bytes as the budget allows, from where the last check ended.

        Raises:
            MunimentError: A store cannot be listed.
        """
        budget = int(cast("Mapping[str, Any]", given)["bytes"])
        former = self._former(context)
        answer: dict[str, Any] = {}
        found: list[str] = []
        for number, store in enumerate(self._office.stores):
            told, damages = self._look(store, former.get(str(number), ""), budget, context)
            answer[str(number)] = told
            found += [f"{store.container}: {damage.key}: {damage.reason}" for damage in damages]
        for line in found:
            logger.error("registration damaged: %s", line)
        calls = [Call(DAMAGED, {"count": len(found), "named": found[:_NAMED]})] if found else []
        return Done({"stores": answer, "damaged": found[:_NAMED]}, spawn=calls)

    def _look(self, store: Store, after: str, budget: int, context: Context) -> tuple[dict[str, object], list[Damage]]:
        size = count = 0
        found: list[Damage] = []
        for looked in look(store, after):
            count += 1
            size += looked.size
            found += looked.damages
            after = looked.key
            context.progress(f"checking {store.container}", count, None, size=size)
            if size >= budget:
                break
        else:
            if not count and after:
                return self._look(store, "", budget, context)  # the last check ended with the last record
            after = ""  # all was seen; the next check begins anew
        return {"after": after, "records": count, "bytes": size}, found

    def _former(self, context: Context) -> dict[str, str]:
        """Where the last check ended, by the number of the store."""
        for job in self._office.ledger.jobs(kind=KIND, limit=10):
            if job.id == context.job:
                continue
            for row in self._office.ledger.steps(job.id, name=CHECK):
                if isinstance(row.result, Mapping):
                    stores = cast("Mapping[str, Mapping[str, object]]", row.result["stores"])
                    return {number: str(told["after"]) for number, told in stores.items()}
        return {}


class DamagedStep(OsfStep):
    """Fails, so that whoever looks at jobs sees that a registration is damaged."""

    name = DAMAGED

    def run(self, given: Json, context: Context) -> Done:  # noqa: ARG002 - all steps are run alike
        """Say it.

        Raises:
            RegistrationDamaged: Always.
        """
        known = cast("Mapping[str, Any]", given)
        raise RegistrationDamaged(count=known["count"], first=known["named"][0])


def schedule(registration_context: RegistrationContext, budget: int) -> None:
    """Have `budget` bytes of each store read back every night; none with 0.

    Raises:
        DatabaseUnavailable: Nothing was changed.
    """
    if budget:
        registration_context.ledger.schedule(Period(PERIOD, AT, KIND, Call(CHECK, {"bytes": budget}), "osf"))
    else:
        registration_context.ledger.unschedule(PERIOD)
