"""Use Nexus Forge as its users do; prints what it got as JSON."""

import json
import sys
from pathlib import Path

from kgforge.core import KnowledgeGraphForge, Resource

given = json.load(sys.stdin)
contexts = "https://bluebrain.github.io/nexus/contexts/"
words = "https://bluebrain.github.io/nexus/vocabulary/"
Path("model").mkdir()
for name in ("namespaces", "vocabulary", "schemas"):
    Path(f"model/{name}.json").write_text("{}")
Path("file.hjson").write_text(
    "type: DataDownload\ncontentUrl: x._self\nname: x._filename\nencodingFormat: x._mediaType\n"
    "digest: {\n  algorithm: x._digest._algorithm\n  value: x._digest._value\n}\n"
)
store = {
    "name": "BlueBrainNexus",
    "endpoint": given["root"],
    "bucket": given["project"],
    "token": given["key"],
    "vocabulary": {
        "metadata": {"iri": f"{contexts}metadata.json", "local_iri": f"{contexts}resource.json"},
        "namespace": words,
        "deprecated_property": f"{words}deprecated",
        "project_property": f"{words}project",
    },
    "file_resource_mapping": "file.hjson",
    "max_connection": 5,
    "model": {"name": "DemoModel"},
}
forge = KnowledgeGraphForge({"Model": {"name": "DemoModel", "origin": "directory", "source": "model"}, "Store": store})
found: dict[str, object] = {}

marie = Resource(type="Person", id="https://x.example.org/marie", name="Marie")
forge.register(marie)
found["registered"] = marie._store_metadata._rev
many = [Resource(type="Person", name=f"Number {number}") for number in range(4)]
forge.register(many)
found["many"] = sorted(each._store_metadata._rev for each in many)
marie.name = "Marie Curie"
forge.update(marie)
forge.tag(marie, "named")
found["retrieved"] = forge.retrieve("https://x.example.org/marie").name
found["first"] = forge.retrieve("https://x.example.org/marie", version=1).name
found["tagged"] = forge.retrieve("https://x.example.org/marie", version="named").name
found["from elsewhere"] = forge.retrieve("https://x.example.org/elsewhere", cross_bucket=True).name

Path("scan.txt").write_text("a scan")
scan = Resource(type="Dataset", name="Scan", distribution=forge.attach("scan.txt", content_type="text/plain"))
forge.register(scan)
forge.download(scan, "distribution.contentUrl", "down", overwrite=True)
found["downloaded"] = Path("down/scan.txt").read_text()
forge.deprecate(marie)
found["deprecated"] = marie._store_metadata._deprecated
found["as JSON-LD"] = sorted(forge.as_jsonld(scan, form="expanded"))
print()
print(json.dumps(found))
