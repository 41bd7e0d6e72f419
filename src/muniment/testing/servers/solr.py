"""A stand-in for Solr, with just what CKAN asks of its index: documents in memory, its queries, no relevance.

Run as a program it serves until it is told to stop: `python solr.py PORT SCHEMA`. It uses nothing but the standard
library, since it runs in CKAN's own environment. Solr itself is in no package registry.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_TOKEN = re.compile(r'\s*(\(|\)|\[[^\]]*\]|"(?:\\.|[^"\\])*"|[+-](?=\S)|[^\s():"]+:|(?:\\.|[^\s()"])+)')
_MATH = re.compile(r"(Z?)-(\d+)MINUTES$")


class Query:
    """A query of Solr's standard parser: fields, phrases, ranges, groups, AND, OR, NOT, + and -."""

    def __init__(self, text: str) -> None:
        self._tokens = [match[1] for match in _TOKEN.finditer(text)]
        self._at = 0
        self._tree = self._group("text")

    def matches(self, document: dict[str, object]) -> bool:
        """Whether a document is found."""
        return _holds(self._tree, document)

    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _group(self, field: str) -> object:
        """Clauses up to the end of the group: those that must, those that must not, those of which one has to."""
        must: list[object] = []
        never: list[object] = []
        may: list[object] = []
        joined = ""
        while (word := self._next()) is not None and word != ")":
            if word in {"AND", "OR", "&&", "||"}:
                joined = "AND" if word in {"AND", "&&"} else "OR"
                self._take()
                continue
            sign = self._take() if word in {"+", "-", "NOT"} else ""
            clause = self._clause(field)
            if sign in {"-", "NOT"}:
                never.append(clause)
            elif sign == "+" or joined == "AND":
                if joined == "AND" and may:
                    must.append(may.pop())
                must.append(clause)
            else:
                may.append(clause)
            joined = ""
        return ("group", must, never, may)

    def _clause(self, field: str) -> object:
        word = self._take()
        if word == "(":
            inner = self._group(field)
            if self._next() == ")":
                self._take()
            return inner
        if word.endswith(":") and word != ":":
            return self._clause(word[:-1])
        return ("term", field, word)


def _holds(node: Any, document: dict[str, object]) -> bool:
    if node[0] == "group":
        _, must, never, may = node
        if not all(_holds(each, document) for each in must) or any(_holds(each, document) for each in never):
            return False
        return not may or bool(must) or any(_holds(each, document) for each in may)
    _, field, word = node
    if field == "*":
        return True
    values = [str(value).lower() if isinstance(value, bool) else str(value) for value in _values(document, field)]
    if word.startswith("["):
        low, _, high = word[1:-1].partition(" TO ")
        return any(_above(value, low.strip()) and (high.strip() == "*" or value <= high.strip()) for value in values)
    wanted = re.sub(r"\\(.)", r"\1", word[1:-1] if word.startswith('"') else word)
    if wanted == "*":
        return bool(values)
    if field in {"text", "title", "notes"}:
        return any(wanted.lower() in value.lower() for value in values)
    return wanted in values


def _above(value: str, low: str) -> bool:
    """Whether a value is at or above a limit; of date arithmetic only the minutes that are taken off are known."""
    if low == "*":
        return True
    if match := _MATH.search(low):
        from datetime import datetime, timedelta  # noqa: PLC0415 - one query of many asks for it

        moment = datetime.fromisoformat(low[: match.start()]) - timedelta(minutes=int(match[2]))
        return value >= moment.isoformat(timespec="milliseconds")
    return value >= low.rstrip("Z")


def _values(document: dict[str, object], field: str) -> list[object]:
    if field == "text":
        return [each for value in document.values() for each in (value if isinstance(value, list) else [value])]
    value = document.get(field)
    return [] if value is None else value if isinstance(value, list) else [value]


class Index:
    """The documents, by their key."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, object]] = {}
        self.lock = threading.Lock()

    def update(self, body: bytes, kind: str) -> None:
        """Take documents in and put them out, as JSON or XML says."""
        with self.lock:
            for document in _added(body, kind):
                self.documents[str(document.get("index_id") or document.get("id"))] = document
            for query in _deleted(body, kind):
                found = Query(query)
                self.documents = {key: each for key, each in self.documents.items() if not found.matches(each)}

    def select(self, asked: dict[str, list[str]]) -> dict[str, object]:
        """Answer a search."""
        queries = [Query(text) for text in [*asked.get("q", ["*:*"]), *asked.get("fq", [])] if text.strip()]
        with self.lock:
            found = [each for each in self.documents.values() if all(query.matches(each) for query in queries)]
        for part in reversed((asked.get("sort") or ["score desc"])[0].split(",")):
            name, _, order = part.strip().partition(" ")
            if name != "score":
                found.sort(key=lambda each, name=name: str(each.get(name, "")), reverse=order.strip() == "desc")  # type: ignore[misc]
        start, rows = int(asked.get("start", ["0"])[0]), int(asked.get("rows", ["10"])[0])
        page = found[start : start + rows]
        fields = [name for text in asked.get("fl", []) for name in re.split(r"[ ,]+", text) if name]
        if fields and "*" not in fields:
            page = [{name: each[name] for name in fields if name in each} for each in page]
        facets = {
            field: [item for pair in Counter(str(v) for d in found for v in _values(d, field)).items() for item in pair]
            for field in asked.get("facet.field", [])
        }
        return {
            "responseHeader": {"status": 0},
            "response": {"numFound": len(found), "start": start, "docs": page},
            "facet_counts": {"facet_fields": facets},
        }


def _added(body: bytes, kind: str) -> Iterator[dict[str, object]]:
    if "json" in kind:
        given = json.loads(body or b"[]")
        yield from given if isinstance(given, list) else [given["add"]["doc"]] if "add" in given else []
        return
    root = ET.fromstring(body) if body.strip() else ET.Element("commit")  # noqa: S314 - what CKAN itself wrote
    for document in root.iter("doc"):
        made: dict[str, Any] = {}
        for field in document.findall("field"):
            made.setdefault(str(field.get("name")), []).append(field.text or "")
        yield {name: values[0] if len(values) == 1 else values for name, values in made.items()}


def _deleted(body: bytes, kind: str) -> list[str]:
    if "json" in kind:
        given = json.loads(body or b"[]")
        query = given.get("delete", {}).get("query") if isinstance(given, dict) else None
        return [query] if query else []
    root = ET.fromstring(body) if body.strip() else ET.Element("commit")  # noqa: S314 - as above
    return [each.text or "" for each in root.iter("query")] if root.tag == "delete" else []


def serve(port: int, schema: str) -> None:
    """Serve until the process ends."""
    index = Index()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def _answer(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            asked = parse_qs(parts.query, keep_blank_values=True)
            kind = self.headers.get("Content-Type", "")
            if kind.startswith("application/x-www-form-urlencoded"):
                asked |= parse_qs(body.decode(), keep_blank_values=True)
            if "/update" in parts.path:
                index.update(body, kind)
                self._send("<response/>" if "xml" in kind else '{"responseHeader": {"status": 0}}', kind)
            elif parts.path.rstrip("/").endswith("/select"):
                self._send(json.dumps(index.select(asked)), "application/json")
            elif parts.path.endswith("/admin/ping"):
                self._send('{"status": "OK"}', "application/json")
            else:
                self._send(schema, "application/xml")

        def _send(self, text: str, kind: str) -> None:
            data = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", kind or "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="utf-8"))
