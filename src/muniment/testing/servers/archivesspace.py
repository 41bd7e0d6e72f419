"""A stand-in for ArchivesSpace's backend, strict where the real one is and as silent where the real one is silent.

Fields it does not know are dropped and answered with 200, as the real server does; `dropped` remembers them, so that a
test can fail by them. Stale records get 409, ended sessions 412, invalid ones one of the five shapes of 400.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong

_FILE_VERSION = {
    "file_uri", "publish", "use_statement", "xlink_actuate_attribute", "xlink_show_attribute", "file_format_name",
    "file_format_version", "file_size_bytes", "is_representative", "checksum", "checksum_method", "caption",
}  # fmt: skip
_EVERY = {"lock_version", "uri", "jsonmodel_type", "publish", "title", "notes", "dates", "extents", "instances"}
_FIELDS: dict[str, set[str]] = {
    "resources": _EVERY | {"id_0", "id_1", "level", "finding_aid_title", "ead_location"},
    "archival_objects": _EVERY | {"component_id", "level", "ref_id", "parent", "resource", "ancestors"},
    "digital_objects": _EVERY | {"digital_object_id", "file_versions", "digital_object_type"},
    "digital_object_components": _EVERY | {"component_id", "label", "digital_object", "file_versions", "position"},
    "top_containers": {"lock_version", "uri", "jsonmodel_type", "indicator", "type", "container_profile", "barcode"},
    "container_profiles": {"lock_version", "uri", "jsonmodel_type", "name", "height", "width", "depth",
                           "dimension_units", "extent_dimension"},
}  # fmt: skip
_READ_ONLY = {
    "display_string",
    "linked_instances",
    "repository",
    "has_unpublished_ancestor",
    "create_time",
    "system_mtime",
}
_REQUIRED = {
    "digital_objects": ("title", "digital_object_id"),
    "digital_object_components": ("digital_object",),
    "top_containers": ("indicator",),
}
_BY_ID = {
    "resources": "identifier",
    "archival_objects": "component_id",
    "digital_objects": "digital_object_id",
    "digital_object_components": "component_id",
    "top_containers": "indicator",
}
_LISTS = {
    "file_format_name": "file_version_file_format_name",
    "checksum_method": "file_version_checksum_methods",
    "use_statement": "file_version_use_statement",
    "xlink_show_attribute": "file_version_xlink_show_attribute",
}


class ArchivesSpaceServer(Loopback):
    """A repository `/repositories/2` with the code `ARCH`; the user is `admin`, the password `secret word`."""

    name: ClassVar[str] = "archivesspace"
    repository: ClassVar[str] = "/repositories/2"

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, dict[str, Any]] = {}
        self.sessions: set[str] = set()
        self.dropped: list[str] = []
        self.writes: list[str] = []
        self.lists: dict[str, set[str]] = {
            "file_version_file_format_name": {"tiff", "jpeg", "pdf", "JPEG 2000"},
            "file_version_checksum_methods": {"md5", "sha-1", "sha-256", "sha-512"},
            "file_version_use_statement": {"image-master", "image-service", "image-thumbnail"},
            "file_version_xlink_show_attribute": {"new", "embed", "none"},
            "container_type": {"box", "Tape"},
        }
        self._count = 0

    def put(self, kind: str, **record: object) -> str:
        """A record that is there; its address."""
        self._count += 1
        where = f"/{kind}/{self._count}" if kind == "container_profiles" else f"{self.repository}/{kind}/{self._count}"
        made = {"uri": where, "lock_version": 0, "jsonmodel_type": kind.removesuffix("s"), **record}
        self.records[where] = made
        return where

    def edit(self, uri: str, **fields: object) -> None:
        """Somebody else saves a record."""
        self.records[uri].update(fields)
        self.records[uri]["lock_version"] += 1

    def refusal(self, wrong: Wrong) -> Reply:
        """How it words a refusal."""
        if isinstance(wrong, _Invalid):
            return Reply.json(wrong.document, 400)
        return Reply.json({"error": wrong.reason}, wrong.status)

    def answer(self, request: Request) -> Reply:
        """Answer a request."""
        if match := re.fullmatch(r"/users/([^/]+)/login", request.path):
            return self._login(match[1], request)
        session = request.headers.get("x-archivesspace-session", "")
        if not session:
            raise Wrong(403, "Access denied")
        if session not in self.sessions:
            return Reply.json({"code": "SESSION_GONE", "error": "No session found"}, 412)
        if request.path == "/repositories":
            return Reply.json([{"uri": self.repository, "repo_code": "ARCH", "name": "The Archives"}])
        if match := re.fullmatch(r"/config/enumerations/names/(.+)", request.path):
            values = sorted(self.lists.get(match[1], ()))
            return Reply.json({"values": values, "enumeration_values": [{"value": each} for each in values]})
        if match := re.fullmatch(rf"{self.repository}/find_by_id/(\w+)", request.path):
            return self._find(match[1], request)
        if request.method == "GET":
            return Reply.json(self._shown(request.path, request.query))
        if match := re.fullmatch(rf"(?:{self.repository})?/(\w+)", request.path):
            return self._create(match[1], json.loads(request.body))
        return self._update(request.path, json.loads(request.body))

    def _login(self, user: str, request: Request) -> Reply:
        if user != "admin" or parse_qs(request.body.decode()).get("password") != ["secret word"]:
            raise Wrong(403, "Login failed")
        session = f"session-{len(self.sessions) + 1}"
        self.sessions.add(session)
        return Reply.json({"session": session, "user": {"username": user}})

    def _find(self, kind: str, request: Request) -> Reply:
        wanted = next(iter(request.query.values()), "")
        if kind == "resources":
            wanted = json.loads(wanted)[0]
        field = "id_0" if kind == "resources" else _BY_ID[kind]
        # The database compares without regard to the case of letters.
        found = [
            {"ref": uri}
            for uri, record in sorted(self.records.items())
            if f"/{kind}/" in uri and str(record.get(field, "")).lower() == wanted.lower()
        ]
        return Reply.json({kind: found})

    def _shown(self, uri: str, query: Mapping[str, str]) -> dict[str, object]:
        if uri not in self.records:
            raise Wrong(404, "Record not found")
        record = copy.deepcopy(self.records[uri])
        if "/digital_objects/" in uri:
            # Read-only: the other side of an instance.
            linking = [where for where, each in self.records.items() if f'"{uri}"' in json.dumps(each.get("instances"))]
            record["linked_instances"] = [{"ref": where} for where in linking]
        if query.get("resolve[]"):
            self._resolve(record)
        return record

    def _resolve(self, value: object) -> None:
        if isinstance(value, dict):
            ref = value.get("ref")
            if isinstance(ref, str) and ref in self.records:
                value["_resolved"] = copy.deepcopy(self.records[ref])
            for each in list(value.values()):
                self._resolve(each)
        elif isinstance(value, list):
            for each in value:
                self._resolve(each)

    def _create(self, kind: str, given: dict[str, object]) -> Reply:
        if kind not in _FIELDS:
            raise Wrong(404, "Sinatra::NotFound")
        record = self._taken(kind, given)
        uri = self.put(kind, **record)
        self.writes.append(f"created {uri}")
        return Reply.json(self._said("Created", uri))

    def _update(self, uri: str, given: dict[str, object]) -> Reply:
        known = self.records.get(uri)
        if known is None:
            raise Wrong(404, "Record not found")
        if "lock_version" not in given:
            raise Wrong(409, "You must provide a lock_version in your request")
        if given["lock_version"] != known["lock_version"]:
            raise Wrong(409, "The record you tried to update has been modified since you fetched it.")
        kind = uri.split("/")[-2]
        record = self._taken(kind, given, uri)
        # What is not sent is gone.
        self.records[uri] = {**record, "uri": uri, "lock_version": known["lock_version"] + 1}
        for linked in re.findall(r'"ref": "([^"]+)"', json.dumps(record)):
            if linked in self.records and "/resources/" not in linked:
                self.records[linked]["lock_version"] += 1
        self.writes.append(f"updated {uri}")
        return Reply.json(self._said("Updated", uri))

    def _said(self, status: str, uri: str) -> dict[str, object]:
        version = self.records[uri]["lock_version"]
        return {"status": status, "id": int(uri.rsplit("/", 1)[1]), "lock_version": version, "uri": uri, "warnings": []}

    def _taken(self, kind: str, given: dict[str, object], uri: str = "") -> dict[str, object]:
        """What the server keeps of a record, or a refusal in its own words."""
        record = self._known(kind, given, self.records.get(uri, {}))
        missing = {
            name: ["Property is required but was missing"] for name in _REQUIRED.get(kind, ()) if name not in record
        }
        if kind == "digital_object_components" and not {"label", "title"} & set(record):
            missing["label"] = ["you must provide a label, title or date"]
        if missing:
            raise _invalid(missing, full=True)
        versions = [self._file_version(kind, at, each) for at, each in enumerate(record.get("file_versions", []))]
        if versions:
            record["file_versions"] = versions
        if sum(bool(each.get("is_representative")) for each in versions) > 1:
            raise _invalid({"file_versions": ["Must have only one representative file version"]}, full=True)
        for ref in re.findall(r'"ref": "([^"]+)"', json.dumps(record)):
            if ref not in self.records and ref != self.repository:
                raise Wrong(400, f"Can't relate to non-existent record: {ref}")
        if kind == "digital_objects":
            others = [
                other
                for where, other in self.records.items()
                if "/digital_objects/" in where
                and where != uri
                and other["digital_object_id"] == record["digital_object_id"]
            ]
            if others:
                raise _invalid({"digital_object_id": ["Must be unique"]})
        return record

    def _known(self, kind: str, given: dict[str, object], before: Mapping[str, object]) -> dict[str, Any]:
        """The fields it knows; the others are dropped and remembered."""
        record: dict[str, Any] = {}
        for name, value in given.items():
            if name in _READ_ONLY:  # sent back as it was given: it stays as it is
                record |= {name: before[name]} if name in before else {}
            elif name not in _FIELDS[kind]:
                self.dropped.append(f"{kind}.{name}")
            elif value not in (None, "", [], {}):
                record[name] = value
        return record

    def _file_version(self, kind: str, at: int, given: Mapping[str, object]) -> dict[str, object]:
        path = f"file_versions/{at}"
        self.dropped += [f"{kind}.{path}.{name}" for name in given if name not in _FILE_VERSION]
        kept = {name: value for name, value in given.items() if name in _FILE_VERSION and value not in (None, "")}
        if "file_uri" not in kept:
            raise _invalid({f"{path}/file_uri": ["Property is required but was missing"]}, full=True)
        if not isinstance(kept.get("file_size_bytes", 0), int):
            raise _invalid({f"{path}/file_size_bytes": ["Must be a Integer"]}, full=True)
        for name, listed in _LISTS.items():
            if name in kept and kept[name] not in self.lists[listed]:
                raise _invalid({f"{path}/{name}": [f"Invalid value '{kept[name]}'."]}, full=True)
        return kept


class _Invalid(Wrong):
    """A 400 whose error is texts by field."""

    def __init__(self, fields: Mapping[str, list[str]], *, full: bool) -> None:
        super().__init__(400, str(fields))
        more = {"warning": {}, "invalid_object": "#<JSONModel>"} if full else {}
        self.document = {"error": dict(fields), **more}


def _invalid(fields: Mapping[str, list[str]], *, full: bool = False) -> Wrong:
    return _Invalid(fields, full=full)
