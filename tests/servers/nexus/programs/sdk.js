// Use the JavaScript SDK of Nexus as its users do; prints what it got as JSON.
const { createNexusClient } = require("@bbp/nexus-sdk");

const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const nexus = createNexusClient({ uri: given.root, token: given.key, fetch });
const ids = (listing) => listing._results.map((each) => each["@id"]).sort();

async function main() {
  const found = {};
  await nexus.Organization.create("js", { description: "Made by the SDK" });
  await nexus.Project.create("js", "p", { apiMappings: [{ prefix: "x", namespace: "https://x.example.org/" }] });
  found.projects = (await nexus.Project.list("js", { from: 0, size: 20, deprecated: false })).
    _results.map((each) => each._label);

  const made = await nexus.Resource.create("js", "p", { "@id": "https://x.example.org/1", "@type": "Thing", n: 1 });
  found.made = made._rev;
  await nexus.Resource.update("js", "p", "x:1", 1, { "@type": "Thing", n: 2 });
  // The SDK leaves schema and "tags" to its caller.
  await nexus.Resource.tag("js", "p", "_/x:1/tags", 2, { tag: "second", rev: 2 });
  found.tags = (await nexus.Resource.tags("js", "p", "x:1")).tags;
  found.tagged = (await nexus.Resource.get("js", "p", "x:1", { tag: "second" })).n;
  found.expanded = (await nexus.Resource.get("js", "p", "x:1", { format: "expanded" }))[0]["@id"];
  found.triples = (await nexus.Resource.get("js", "p", "x:1", { as: "n-triples" })).includes("<https://x.example.org/1>");
  found.source = await nexus.Resource.getSource("js", "p", "x:1");
  await nexus.Resource.create("js", "p", { "@id": "https://x.example.org/2", "@type": "Other" });
  await nexus.Resource.deprecate("js", "p", "x:2", 1);
  found.all = ids(await nexus.Resource.list("js", "p", { from: 0, size: 20 }));
  found.deprecated = ids(await nexus.Resource.list("js", "p", { deprecated: true }));
  found.typed = ids(await nexus.Resource.list("js", "p", { type: "Other", sort: "-_createdAt" }));

  const form = new FormData();
  form.append("file", new Blob([Buffer.alloc(100000, 7)], { type: "image/png" }), "photo.png");
  const file = await nexus.File.create("js", "p", { "@id": "x:photo", file: form });
  found.file = [file._bytes, file._filename];
  const blob = await nexus.File.get("js", "p", "x:photo", { as: "blob" });
  found.bytes = Buffer.from(await blob.arrayBuffer()).equals(Buffer.alloc(100000, 7));
  found.files = ids(await nexus.File.list("js", "p", { from: 0, size: 5 }));

  found.resolved = (await nexus.Resolver.getResource("js", "p", "_", "x:1")).n;
  const archive = { archiveId: "x:archive", resources: [{ "@type": "Resource", resourceId: "x:1" }] };
  await nexus.Archive.create("js", "p", { "@context": { x: "https://x.example.org/" }, ...archive });
  const tar = await nexus.Archive.get("js", "p", "x:archive", { as: "x-tar" });
  found.tar = Buffer.from(await tar.arrayBuffer()).subarray(257, 262).toString();
  found.identities = (await nexus.Identity.list()).identities.length;
  console.log(JSON.stringify(found));
}

main().catch((error) => { console.error(error); process.exit(1); });
