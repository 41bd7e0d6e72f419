"""Which instance a command is about: the newest, one by its number, or the one that was the newest at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import typer

from muniment.errors.base import BadInput, MissingThing

if TYPE_CHECKING:
    from muniment.content.archive import Archive
    from muniment.content.instance import Instance

_OFFERED = 100


def chosen(
    archive: Archive, id: str, *, project: str | None = None, instance: str | None = None, at: str | None = None
) -> Instance:
    """The instance that `instance` names, or the one that was the newest `at` a time or on a day's end.

    Raises:
        BadInput: Both are given, or the time is none.
        MissingThing, InstanceNotFound, ResourceNotFound, AmbiguousId: There is none.
    """
    if at is None:
        return archive.get(id, instance=instance, project=project)
    from muniment.content.times import read_time

    if instance is not None:
        raise BadInput(reason="--at and --instance both say which instance; give one of them")
    moment = read_time(f"{at}T23:59:59.999999Z" if len(at) == len("2026-01-31") else at)
    if moment is None:
        raise BadInput(
            reason=f"{at!r} is no time: give a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z"
        )
    history = archive.history(id, project)
    then = [each for each in history if (read_time(each.created) or moment) <= moment]
    if not then:
        raise MissingThing(reason=f"{id} has no instance from {at} or before; its first is of {history[0].created}")
    return then[-1]


def offer_ids(context: typer.Context, incomplete: str) -> Iterator[str]:
    """The ids that begin so, for a shell that completes words; nothing where the archive cannot be asked."""
    from itertools import islice, takewhile

    from muniment.errors.base import MunimentError

    try:
        with _named(context) as archive:
            if incomplete and archive.exists(incomplete):
                yield incomplete
            ids = (item.id for item in archive.resources(after=incomplete))
            yield from islice(takewhile(lambda each: each.startswith(incomplete), ids), _OFFERED)
    except (MunimentError, OSError):
        return


def offer_paths(context: typer.Context, incomplete: str) -> Iterator[str]:
    """The files and folders of the resource that begin so, a level at a time, as shells offer those of a disk."""
    from muniment.errors.base import MunimentError

    given = {name: context.params.get(name) for name in ("id", "project", "instance", "at")}
    offered: dict[str, None] = {}
    try:
        with _named(context) as archive:
            for path in chosen(archive, str(given.pop("id")), **given):
                if path.startswith(incomplete) and len(offered) < _OFFERED:
                    name, slash, _ = path[len(incomplete) :].partition("/")
                    offered[incomplete + name + slash] = None
    except (MunimentError, OSError):
        return
    yield from offered


def _named(context: typer.Context) -> AbstractContextManager[Archive]:
    """The archive that the words so far name."""
    from muniment.cli.context import Context

    given = context.find_root().params
    named = [given.get(name) for name in ("archive", "state", "key_file", "config")]
    return Context(*named, quiet=True).opening().archive()
