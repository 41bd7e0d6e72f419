"""Whose the control database is: one archive's, with one set of registration stores, on whatever machine it is used."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select

from muniment.database import Database
from muniment.database.tables import belongings
from muniment.errors.jobs import WrongArchive, WrongStores

_value = select(belongings.c.value).where(belongings.c.name == bindparam("of"))
_forget = delete(belongings).where(belongings.c.name == bindparam("of"))


def check(database: Database, archive: str, stores: Sequence[str], *, used: bool) -> None:
    """See that this archive (its id) and these stores (their addresses) are those the database belongs to.

    The first who comes says whose it is. Stores that are not `used` yet are compared and not recorded;
    who knows of none has none compared.

    Raises:
        WrongArchive, WrongStores: It belongs to another; working on would put copies where nobody looks for them.
        DatabaseUnavailable: It cannot be reached.
    """

    def work(connection: Connection) -> None:
        known = connection.scalar(_value, {"of": "archive"})
        if known is None:
            connection.execute(insert(belongings), {"name": "archive", "value": archive})
        elif known != archive:
            raise WrongArchive(place=database.place, known=known, given=archive)
        if not stores:
            return
        listed = connection.scalar(_value, {"of": "stores"})
        if listed is None:
            if used:
                connection.execute(insert(belongings), {"name": "stores", "value": json.dumps(list(stores))})
        elif json.loads(listed) != list(stores):
            known = ", ".join(json.loads(listed))
            raise WrongStores(place=database.place, known=known, given=", ".join(stores))

    database.write(work, alone="belongings")


def change(database: Database, archive: str, stores: Sequence[str]) -> None:
    """Say that the database belongs to these from now on.

    Raises:
        DatabaseUnavailable: Nothing was recorded.
    """

    def work(connection: Connection) -> None:
        for name, value in (("archive", archive), ("stores", json.dumps(list(stores)))):
            connection.execute(_forget, {"of": name})
            connection.execute(insert(belongings), {"name": name, "value": value})

    database.write(work, alone="belongings")
