// Work with an archive by the types that openapi-typescript made of its description; prints what it got as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./made";

declare function require(name: string): any;

const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const headers = { Authorization: `Bearer ${given.key}` };
const client = createClient<paths>({ baseUrl: given.url.replace(/\/$/, ""), headers });
const asItIs = { bodySerializer: (body: unknown) => body as string };
const bytes = { "Content-Type": "application/octet-stream" };

function of<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

async function main(): Promise<void> {
  const found: Record<string, unknown> = {};
  const body: components["schemas"]["BeginNew"] = { on: "new", id: "letters/1912", message: "Letters" };
  const { transaction } = of(await client.POST("/archive/v1/transactions", { body }));
  const put = of(await client.PUT("/archive/v1/transactions/{transaction}/files/{path}", {
    params: { path: { transaction, path: "a/letter.txt" } }, body: "0123456789", headers: bytes, ...asItIs,
  }));
  found.put = [put.path, put.size];
  const { upload } = of(await client.POST("/archive/v1/transactions/{transaction}/uploads", {
    params: { path: { transaction } }, body: { path: "film.mkv", size: 6 },
  }));
  for (const [at, piece] of [[0, "abc"], [3, "def"]] as [number, string][]) {
    const { response } = await client.PATCH("/archive/v1/transactions/{transaction}/uploads/{upload}", {
      params: { path: { transaction, upload }, header: { "Upload-Offset": at } },
      body: piece, headers: bytes, ...asItIs,
    });
    found.upload = [response.status, response.headers.get("Upload-Offset")];
  }
  found.finished = of(await client.POST("/archive/v1/transactions/{transaction}/uploads/{upload}", {
    params: { path: { transaction, upload } }, body: {},
  })).size;
  found.number = of(await client.POST("/archive/v1/transactions/{transaction}/commit", {
    params: { path: { transaction } }, body: { message: "All" },
  })).number;

  const id = "letters/1912";
  found.resource = of(await client.GET("/archive/v1/resources/{id}", { params: { path: { id } } })).message;
  const listed = of(await client.GET("/archive/v1/resources/{id}/instances/{number}/files", {
    params: { path: { id, number: "newest" } },
  }));
  found.files = listed.files.map((each) => each.path);
  const place = { id, number: "1", path: "a/letter.txt" };
  found.read = of(await client.GET("/archive/v1/resources/{id}/instances/{number}/files/{path}", {
    params: { path: place }, parseAs: "text",
  }));
  const part = await client.GET("/archive/v1/resources/{id}/instances/{number}/files/{path}", {
    params: { path: place, header: { Range: "bytes=2-4" } }, parseAs: "text",
  });
  found.range = [part.response.status, part.data, part.response.headers.get("Content-Range")];
  const refused = await client.GET("/archive/v1/resources/{id}", { params: { path: { id: "nothing" } } });
  found.refused = [refused.error?.status, refused.error?.type];
  console.log(JSON.stringify(found));
}

main().catch((error) => { console.error(error); (globalThis as any).process.exit(1); });
