"""Work with an archive by the client that openapi-python-client made of its description; prints what it got as JSON."""

from __future__ import annotations

import json
import sys
from io import BytesIO
from typing import Any

from made import AuthenticatedClient
from made.api.nexus_archives import nexus_get_archive, nexus_put_archive
from made.api.nexus_organizations import nexus_put_organization
from made.api.nexus_projects import nexus_put_project
from made.api.nexus_resources import nexus_create_resource
from made.api.resources import get_resource, list_files, read_file
from made.api.transactions import begin_transaction, commit_transaction
from made.api.uploads import append_to_upload, begin_upload, finish_upload, put_file
from made.models import (
    BeginNew,
    CommitIn,
    FinishIn,
    NexusOrganization,
    NexusProject,
    NexusResource,
    NexusSelection,
    NexusSelectionEntry,
    NexusSelectionEntryType,
    Problem,
    UploadIn,
)
from made.types import File

given = json.load(sys.stdin)
client = AuthenticatedClient(base_url=given["url"].rstrip("/"), token=given["key"])
found: dict[str, Any] = {}

begun = begin_transaction.sync(client=client, body=BeginNew(id="letters/1911", message="Letters"))
there = put_file.sync(begun.transaction, "a/letter.txt", client=client, body=File(payload=BytesIO(b"0123456789")))
found["put"] = [there.path, there.size]
upload = begin_upload.sync(begun.transaction, client=client, body=UploadIn(path="film.mkv", size=6))
for piece in (b"abc", b"def"):
    sent = append_to_upload.sync_detailed(
        begun.transaction,
        upload.upload,
        client=client,
        body=File(payload=BytesIO(piece)),
        upload_offset=0 if piece == b"abc" else 3,
    )
found["upload"] = [sent.status_code, sent.headers["Upload-Offset"]]
found["finished"] = finish_upload.sync(begun.transaction, upload.upload, client=client, body=FinishIn()).size
found["number"] = commit_transaction.sync(begun.transaction, client=client, body=CommitIn(message="All")).number

found["resource"] = get_resource.sync("letters/1911", client=client).message
found["files"] = [each.path for each in list_files.sync("letters/1911", "newest", client=client).files]
found["read"] = read_file.sync("letters/1911", "newest", "a/letter.txt", client=client).payload.read().decode()
part = read_file.sync_detailed("letters/1911", "1", "a/letter.txt", client=client, range_="bytes=2-4")
found["range"] = [part.status_code, part.parsed.payload.read().decode(), part.headers["Content-Range"]]
refused = get_resource.sync("nothing", client=client)
assert isinstance(refused, Problem)
found["refused"] = [refused.status, refused.type_]

nexus_put_organization.sync("o", client=client, body=NexusOrganization(description="A museum"))
nexus_put_project.sync("o", "p", client=client, body=NexusProject())
person = NexusResource.from_dict({"@type": "Person", "name": "Marie Curie"})
made = nexus_create_resource.sync("o", "p", client=client, body=person)
found["revision"] = made.field_rev
entry = NexusSelectionEntry(type_=NexusSelectionEntryType.RESOURCE, resource_id=made.id, path="person.json")
nexus_put_archive.sync("o", "p", "first", client=client, body=NexusSelection(resources=[entry]))
tar = nexus_get_archive.sync("o", "p", "first", client=client).payload.read()
found["selected"] = [tar[:11].decode(), tar[257:262].decode()]
print(json.dumps(found))
