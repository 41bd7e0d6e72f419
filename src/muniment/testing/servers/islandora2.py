"""A stand-in for Islandora 2: Drupal's REST interface of its starter site, as strict about what it is sent.

It is written from what is published of the interface, and is not Islandora. Nodes need a title and a model, terms have
to be there, a file belongs to one media, and a wrong digest can be asked for (`corrupt_next`).
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from muniment.testing.servers.loopback import Loopback, Reply, Request, Wrong

_TERMS = (
    "http://purl.org/dc/dcmitype/Collection",
    "https://schema.org/Book",
    "http://id.loc.gov/ontologies/bibframe/part",
    "http://pcdm.org/use#OriginalFile",
    "http://pcdm.org/use#ServiceFile",
    "http://pcdm.org/use#ThumbnailImage",
    "http://pcdm.org/use#ExtractedText",
    "https://discoverygarden.ca/use#hocr",
)
_NODE_FIELDS = {
    "type", "title", "field_model", "field_member_of", "field_weight", "field_local_identifier", "nid", "status",
}  # fmt: skip
_FILE_FIELDS = {
    "image": "field_media_image",
    "file": "field_media_file",
    "document": "field_media_document",
    "extracted_text": "field_media_file",
}
_MEDIA_FIELDS = {"bundle", "name", "field_media_of", "field_media_use", "mid"}
_FURTHER_FIELDS = {"extracted_text": {"field_edited_text"}}
LOOKUP = "/node-by-identifier"
"""The path of a View that finds nodes by local identifier, as a site may have one."""


class Islandora2Server(Loopback):
    """The user is `keeper`, the password `secret word`."""

    name: ClassVar[str] = "islandora2"

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[int, dict[str, Any]] = {}
        self.media: dict[int, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.terms = {uri: number for number, uri in enumerate(_TERMS, 1)}
        self.writes: list[str] = []
        self.corrupt_next = 0
        self.fail_at = 0
        # Drupal counts each kind by itself.
        self._nodes, self._media, self._files = 100, 200, 300
        self._uuids: dict[int, str] = {}

    def answer(self, request: Request) -> Reply:
        """Answer a request."""
        right = "Basic " + b64encode(b"keeper:secret word").decode()
        if request.headers.get("authorization") != right:
            raise Wrong(403, "The 'access content' permission is required.")
        if request.method != "GET":
            self.writes.append(f"{request.method} {request.path}")
            if self.fail_at and len(self.writes) == self.fail_at:
                self.fail_at = 0
                raise Wrong(422, "Unprocessable Entity: something is wrong with this one.")
        if request.path == "/term_from_uri":
            number = self.terms.get(request.query.get("uri", ""))
            return Reply.json([{"tid": [{"value": number}]}] if number else [])
        if request.path == "/islandora_workbench_integration/file_hash":
            return self._hash(request.query)
        if match := re.fullmatch(r"/file/upload/media/(\w+)/(\w+)", request.path):
            return self._upload(match[1], match[2], request)
        if request.path.startswith("/node"):
            return self._answer_node(request)
        if request.path == "/entity/media" and request.method == "POST":
            medium = self._medium(json.loads(request.body))
            self._media += 1
            self.media[self._media] = medium | {"mid": [{"value": self._media}]}
            return Reply.json(self.media[self._media], 201)
        if match := re.fullmatch(r"/media/(\d+)/edit", request.path):
            return self._one(self.media, int(match[1]), request, self._medium)
        raise Wrong(404, "No route found")

    def _answer_node(self, request: Request) -> Reply:
        if request.path == "/node" and request.method == "POST":
            made = self._node(json.loads(request.body))
            self._nodes += 1
            self.nodes[self._nodes] = made | {"nid": [{"value": self._nodes}]}
            return Reply.json(self.nodes[self._nodes], 201)
        if request.path == LOOKUP:
            wanted = [{"value": request.query.get("identifier", "")}]
            return Reply.json([each for each in self.nodes.values() if each.get("field_local_identifier") == wanted])
        if match := re.fullmatch(r"/node/(\d+)/media", request.path):
            of = [{"target_id": int(match[1])}]
            return Reply.json([each for each in self.media.values() if each["field_media_of"] == of])
        if match := re.fullmatch(r"/node/(\d+)", request.path):
            return self._one(self.nodes, int(match[1]), request, self._node_changes)
        raise Wrong(404, "No route found")

    def children(self, node: int) -> list[dict[str, Any]]:
        """The members of a node, by weight."""
        mine = [each for each in self.nodes.values() if each.get("field_member_of", [{}])[0].get("target_id") == node]
        return sorted(mine, key=lambda each: each.get("field_weight", [{"value": 0}])[0]["value"])

    def uses(self, node: int) -> dict[str, bytes]:
        """The files of a node by the use of their media."""
        uris = {number: uri for uri, number in self.terms.items()}
        found = {}
        for each in self.media.values():
            if each["field_media_of"][0]["target_id"] == node:
                field = _FILE_FIELDS[each["bundle"][0]["target_id"]]
                found[uris[each["field_media_use"][0]["target_id"]]] = self.files[
                    self._uuids[each[field][0]["target_id"]]
                ]
        return found

    def _hash(self, query: Mapping[str, str]) -> Reply:
        data = self.files.get(query.get("file_uuid", ""))
        if data is None:
            raise Wrong(404, "No such file")
        return Reply.json([{"checksum": hashlib.new(query["algorithm"], data).hexdigest(), "error": False}])

    def _upload(self, bundle: str, field: str, request: Request) -> Reply:
        if _FILE_FIELDS.get(bundle) != field:
            raise Wrong(404, f"Field {field} does not exist")
        if request.headers.get("content-type") != "application/octet-stream":
            raise Wrong(415, "No route found that matches the content type")
        match = re.search(r'filename="([^"]+)"', request.headers.get("content-disposition", ""))
        if match is None or not match[1].isascii():
            raise Wrong(400, "No filename found in Content-Disposition header")
        name, data = unquote(match[1]), request.body
        if self.corrupt_next:
            self.corrupt_next -= 1
            data = data[:-1] + bytes([data[-1] ^ 1])
        self._files += 1
        made = str(uuid.UUID(int=self._files))
        self.files[made], self._uuids[self._files] = data, made
        uri = [{"value": f"public://{name}", "url": f"/sites/default/files/{name}"}]
        return Reply.json({"fid": [{"value": self._files}], "uuid": [{"value": made}], "uri": uri}, 201)

    def _node(self, given: dict[str, object]) -> dict[str, object]:
        for field in ("type", "title", "field_model"):
            if not given.get(field):
                raise Wrong(422, f"Unprocessable Entity: validation failed.\n{field}: This value should not be null.")
        return self._node_changes(given)

    def _node_changes(self, given: dict[str, Any]) -> dict[str, object]:
        if given.get("type", [{}])[0].get("target_id") != "islandora_object":
            raise Wrong(422, "The type link relation must be specified.")
        if other := set(given) - _NODE_FIELDS:
            raise Wrong(422, f"Unprocessable Entity: field {min(other)} does not exist")
        if given.get("field_model") and given["field_model"][0]["target_id"] not in self.terms.values():
            raise Wrong(422, "field_model.0.target_id: The referenced entity does not exist.")
        for each in given.get("field_member_of", []):
            if each["target_id"] not in self.nodes:
                raise Wrong(422, "field_member_of.0.target_id: The referenced entity does not exist.")
        return given

    def _medium(self, given: dict[str, Any]) -> dict[str, object]:
        bundle = given.get("bundle", [{}])[0].get("target_id", "")
        field = _FILE_FIELDS.get(bundle)
        if field is None or not given.get(field):
            raise Wrong(422, "Unprocessable Entity: a media needs its file")
        if other := set(given) - _MEDIA_FIELDS - {field} - _FURTHER_FIELDS.get(bundle, set()):
            raise Wrong(422, f"Unprocessable Entity: field {min(other)} does not exist")
        if given[field][0]["target_id"] not in self._uuids or given["field_media_of"][0]["target_id"] not in self.nodes:
            raise Wrong(422, "The referenced entity does not exist.")
        return given

    def _one(self, kind: dict[int, dict[str, object]], number: int, request: Request, check: Any) -> Reply:
        if number not in kind:
            raise Wrong(404, "The entity was not found")
        if request.method == "PATCH":
            kind[number] |= check(json.loads(request.body))
        return Reply.json(kind[number])
