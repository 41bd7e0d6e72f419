"""Use the Python SDK of Nexus as its users do; prints what it got as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import nexussdk as nexus

given = json.load(sys.stdin)
nexus.config.set_environment(given["root"])
nexus.config.set_token(given["key"])
found: dict[str, object] = {}

nexus.organizations.create("sdk", description="Made by the SDK")
nexus.projects.create("sdk", "p", api_mappings=[{"prefix": "x", "namespace": "https://x.example.org/"}])
found["projects"] = [each["_label"] for each in nexus.projects.list("sdk")["_results"]]

made = nexus.resources.create("sdk", "p", {"@id": "https://x.example.org/1", "@type": "Thing", "n": 1})
whole = nexus.resources.fetch("sdk", "p", "https://x.example.org/1")
whole["n"] = 2
nexus.resources.update(whole)
whole = nexus.resources.fetch("sdk", "p", "https://x.example.org/1")
nexus.resources.tag(whole, "second", rev_to_tag=2, rev=2)
found["tags"] = nexus.resources.tags(whole)["tags"]
found["by tag"] = nexus.resources.fetch("sdk", "p", "https://x.example.org/1", tag="second")["n"]
nexus.resources.create("sdk", "p", {"@id": "https://x.example.org/2", "@type": "Other"})
nexus.resources.deprecate(nexus.resources.fetch("sdk", "p", "https://x.example.org/2"))


def ids(listing: dict[str, Any]) -> list[str]:
    return sorted(each["@id"] for each in listing["_results"])


found["all"] = ids(nexus.resources.list("sdk", "p"))
found["not deprecated"] = ids(nexus.resources.list("sdk", "p", deprecated=False))
found["of a type"] = ids(nexus.resources.list("sdk", "p", type="Other"))
found["of a schema"] = ids(
    nexus.resources.list("sdk", "p", schema="https://bluebrain.github.io/nexus/schemas/files.json")
)
found["of a revision"] = ids(nexus.resources.list("sdk", "p", rev=3))
found["with an id"] = ids(nexus.resources.list("sdk", "p", resource_id="https://x.example.org/1"))
found["by nobody"] = ids(nexus.resources.list("sdk", "p", created_by="https://x.example.org/nobody"))

Path("photo.bin").write_bytes(bytes(range(256)) * 400)
file = nexus.files.create("sdk", "p", "photo.bin", file_id="x:photo", content_type="application/octet-stream")
found["file"] = {name: file[name] for name in ("_bytes", "_filename", "_rev")}
nexus.files.fetch("sdk", "p", "x:photo", out_filepath="back.bin")
found["same bytes"] = Path("back.bin").read_bytes() == Path("photo.bin").read_bytes()
nexus.files.tag("sdk", "p", "x:photo", 1, "v1", 1)
found["file tags"] = nexus.files.tags(file)["tags"]
found["files"] = ids(nexus.files.list("sdk", "p"))
found["identities"] = len(nexus.identities.fetch()["identities"])
print(json.dumps(found))
