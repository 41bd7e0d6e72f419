"""Archives and instances as a notebook shows them: a small table, with nothing in it that is not escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable
from itertools import islice

from muniment.content.archive import Archive
from muniment.content.instance import Instance

_SHOWN = 10


def archive_html(archive: Archive) -> str:
    """An archive: where it is, and its first resources."""
    count = archive.count()
    rows = (
        (each.id, each.project, each.head, each.files, each.bytes, each.modified)
        for each in archive.resources(limit=_SHOWN)
    )
    title = f"Archive {archive.path} ({archive.config.mode}), {count} resources"
    return _table(title, ("id", "project", "instances", "files", "bytes", "modified"), rows, count)


def instance_html(instance: Instance) -> str:
    """An instance: what it is, and its first files."""
    rows = ((each.path, each.size, each.modified or "") for each in islice(instance.files(), _SHOWN))
    title = f"Instance {instance.number} of {instance.id} in {instance.project}, {instance.created}: {instance.message}"
    return _table(title, ("path", "bytes", "modified"), rows, len(instance))


def _table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[object, ...]], count: int) -> str:
    made = ["<table><caption>", html.escape(title), "</caption><thead>", _row("th", heads), "</thead><tbody>"]
    made += [_row("td", row) for row in rows]
    if count > _SHOWN:
        made.append(f'<tr><td colspan="{len(heads)}">and {count - _SHOWN} more</td></tr>')
    return "".join([*made, "</tbody></table>"])


def _row(kind: str, cells: tuple[object, ...]) -> str:
    return f"<tr>{''.join(f'<{kind}>{html.escape(str(cell))}</{kind}>' for cell in cells)}</tr>"
