// Probes, metrics, the manual, the first page, and the OpenAPI document.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { confluentDoor } from "../../../runtime/http/confluent/routes.ts";
import type { Door } from "../../../runtime/http/route.ts";
import { get, openDoor, platform } from "./door.ts";

const html = { accept: "text/html,*/*;q=0.8" };

test("operationRoutes() answer probes, and name why the broker is not ready", async () => {
  const reasons: string[] = [];
  const door = openDoor({ readiness: () => reasons });
  assert.is((await get(door, "/healthz")).status, 200);
  assert.equal((await get(door, "/readyz")).body, { status: "ready", reasons: [] });
  reasons.push("recovering orders-0");
  const answer = await get(door, "/readyz");
  assert.is(answer.status, 503);
  assert.equal(answer.body.reasons, ["recovering orders-0"]);
  assert.is((await get(door, "/healthz")).status, 200);
});

test("operationRoutes() pass Accept to the metrics and their type back", async () => {
  const exposition = async (accept: string | undefined) => ({
    contentType: `text/x; of=${accept}`,
    body: "m 1\n",
  });
  const door = openDoor({ metrics: { exposition } });
  const answer = await get(door, "/metrics", { accept: "a/b" });
  assert.is(answer.headers.get("content-type"), "text/x; of=a/b");
  assert.is(answer.text, "m 1\n");
  assert.is((await get(openDoor(), "/metrics")).status, 404);
});

test("operationRoutes() show the manual as HTML to browsers, as Markdown to others", async () => {
  const page =
    "# On disk\n\nA `log` <script>alert(1)</script> [x](javascript:alert(1)) [y](two.md)";
  let reads = 0;
  const door = openDoor({
    docs: async () => {
      reads++;
      return new Map([
        ["on-disk", page],
        ["two", "no title"],
      ]);
    },
  });
  assert.match((await get(door, "/docs")).text, "- [On disk](/docs/on-disk)\n- [two](/docs/two)");
  assert.match((await get(door, "/docs", html)).text, '<a href="/docs/on-disk">On disk</a>');
  assert.is((await get(door, "/docs/on-disk")).text, page);
  assert.is((await get(door, "/docs/on-disk.md", html)).text, page);
  const shown = await get(door, "/docs/on-disk", html);
  assert.match(shown.headers.get("content-type")!, "text/html");
  assert.match(shown.headers.get("content-security-policy")!, "default-src 'none'");
  assert.match(shown.text, '<h1 id="on-disk">On disk</h1>');
  assert.match(shown.text, "&lt;script&gt;");
  assert.match(shown.text, '<a href="/docs/two">y</a>');
  assert.not.match(shown.text, "javascript:");
  const absent = await get(door, "/docs/absent");
  assert.is(absent.status, 404);
  assert.is(absent.body.error?.code, "RESOURCE_NOT_FOUND");
  assert.is(reads, 1);
});

test("operationRoutes() show the manual's own first page at /docs, with links that lead on", async () => {
  const index =
    "# Manual\n\n[disk](on-disk.md#see-it) [up](../README.md) [web](https://a.example/x.md)";
  const door = openDoor({ docs: async () => new Map([["index", index]]) });
  assert.is((await get(door, "/docs")).text, index);
  assert.is((await get(door, "/docs/")).text, index);
  const shown = (await get(door, "/docs", html)).text;
  assert.match(shown, '<a href="/docs/on-disk#see-it">disk</a>');
  assert.match(shown, '<a href="https://a.example/x.md">web</a>');
  assert.not.match(shown, "README");
});

test("operationRoutes() say on the first page what to try", async () => {
  const door = openDoor();
  const { body } = await get(door, "/");
  assert.is(body.links?.openapi, "/openapi.json");
  assert.match(body.try?.[0] as unknown as string, "curl -d hello http://localhost/v1/topics/");
  assert.match((await get(door, "/", html)).text, "<h1>Timberline 0.0.0-test</h1>");
});

/** Its routes are made when somebody asks for them. */
const lateDoor = { ...openDoor(), platform } as unknown as Door;

test("openApiDocument() describes every route with its query, bodies and answers", async () => {
  const door = openDoor({ metrics: { exposition: async () => ({ contentType: "", body: "" }) } });
  const { body: document } = await get(door, "/openapi.json");
  assert.match(document.openapi as unknown as string, /^3\.1/);
  const routes = door.app.routes.filter(({ method }) => method !== "ALL");
  assert.ok(routes.length >= 17);
  for (const { method, path: registered } of [...routes, ...confluentDoor(lateDoor).routes()]) {
    const path = registered === "/v1/stream/*" ? "/v1/stream/:path" : registered;
    const entry =
      document.paths?.[path.replace("{.+}", "").replace(/\/:(\w+)/g, "/{$1}")]?.[
        method.toLowerCase()
      ];
    assert.ok(entry?.summary, `${method} ${path}`);
    assert.ok(entry?.responses?.default, `${method} ${path}`);
  }
  const produce = document.paths?.["/v1/topics/{topic}/records"]?.post;
  const parameters = produce?.parameters as unknown as {
    name: string;
    in: string;
    schema: object;
  }[];
  const timeout = parameters.find(({ name }) => name === "timeout_ms");
  assert.is((timeout?.schema as { type?: string } | undefined)?.type, "integer");
  assert.ok(parameters.some((parameter) => parameter.in === "path" && parameter.name === "topic"));
  assert.equal(Object.keys(produce?.requestBody?.content ?? {}), [
    "application/json",
    "application/x-ndjson",
    "application/vnd.timberline.batches",
    "application/octet-stream",
  ]);
  const answer = produce?.responses?.["200"]?.content?.["application/json"]?.schema;
  assert.ok(answer?.properties?.partitions, JSON.stringify(answer));
});

test.run();
