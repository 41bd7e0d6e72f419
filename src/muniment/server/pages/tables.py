"""Lists as CSV and JSON at the address of their page, for spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import Request
from starlette.responses import Response

from muniment.http.files import disposition

Row = TypeVar("Row")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: its name, and what it says of a row."""

    name: str
    value: Callable[[Row], str | int | None]


def wants(request: Request) -> str:
    """`csv` or `json` where the address or the header `Accept` asks so; else empty, for a page."""
    asked = request.query_params.get("format", "")
    if asked in {"csv", "json"}:
        return asked
    accept = request.headers.get("accept", "")
    if "text/html" in accept:
        return ""
    return "csv" if "text/csv" in accept else "json" if "application/json" in accept else ""


def table_of(
    columns: Sequence[Column[Row]], rows: Iterable[Row], form: str, name: str, more: Mapping[str, str] | None = None
) -> Response:
    """The rows as CSV or JSON; `more` goes beside them in JSON."""
    listed = [{column.name: column.value(row) for column in columns} for row in rows]
    if form == "json":
        body = json.dumps({name: listed, **(more or {})}, ensure_ascii=False).encode("utf-8", "replace")
        return Response(body, media_type="application/json")
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([column.name for column in columns])
    for row in listed:
        writer.writerow([_cell(value) for value in row.values()])
    headers = {"Content-Disposition": disposition(f"{name}.csv")}
    return Response(text.getvalue().encode("utf-8", "replace"), headers=headers, media_type="text/csv; charset=utf-8")


def _cell(value: str | int | None) -> str | int:
    """What a spreadsheet would run as a formula is shown as text."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
