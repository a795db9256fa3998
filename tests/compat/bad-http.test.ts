// Hostile requests to every route of the HTTP door, made from its own OpenAPI document: wrong parameters, bodies and
// media types, heads that are none, bodies that end early, readers that do not read, thousands of tails that go away.
// Each gets a status and the one error shape, at once; a client beside notices nothing; memory stays bounded.
// Time limit: 120 s

import { connect, type Socket } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { request, requestJson } from "../support/http-client.ts";
import { TestServer } from "../support/server.ts";
import { Bystander, peakMiB } from "./bystander.ts";
import { RawConnection } from "./raw-connection.ts";

/** As for the Kafka door: runtime, buffers for requests on their way, one unpacked batch. */
const memoryMiBMax = 512;
const tails = 1_000;
/** Longest that a route may take for a request that waits for nothing. */
const answerMsMax = 10_000;
const streams = /event-stream|ndjson/;
/** Routes whose users know another error body. */
const confluentRoutes = /^\/(topics|consumers|brokers|v3)\b/;

interface Parameter {
  readonly name: string;
  readonly in: "query" | "path";
  readonly schema?: { readonly type?: string; readonly enum?: readonly string[] };
}
interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
}
interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}
interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

let server: TestServer;
let beside: Bystander;
let routes: { method: string; path: string; operation: Operation }[];
/** Begun first: the answer takes its time. */
let endless: RawConnection;

test.before(async () => {
  server = await TestServer.start();
  for (const name of ["beside", "target"])
    await request(`${server.http}/v1/topics`, { body: { name } });
  const { paths } = await requestJson<OpenApi>(`${server.http}/openapi.json`);
  routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...{ method: method.toUpperCase(), path, operation },
    })),
  );
  endless = await openRaw();
  endless.send(Buffer.from("GET / HTTP/1.1\r\nx-a: b"));
  beside = new Bystander(server, "beside");
});
test.after(async () => {
  await beside.close();
  await server.kill();
});

const wrongSegments = [
  "absent",
  "-1",
  "%00",
  "..%2f..",
  "%ff%fe",
  "x".repeat(300),
  "9".repeat(20),
  "%E2%98%83",
];
const wrongNumbers = ["-1", "x", "1.5", "9".repeat(25), "", "0x10", "%00"];
const wrongTexts = ["%00", "%ff", "x".repeat(5000), "-", ""];
const wrongBodies: readonly (readonly [type: string, body: string])[] = [
  ["application/json", ""],
  ["application/json", "{"],
  ["application/json", "null"],
  ["application/json", "[]"],
  ["application/json", "17"],
  ["application/json", '{"value":{},"partition":"x"}'],
  ["application/json", '{"records":[{"value":1,"partition":-1}]}'],
  ["application/json", "[".repeat(100_000)],
  [
    "application/json",
    '{"__proto__":{"a":1},"name":"..","offset":-7,"offsets":[{}],"partitions":1e99}',
  ],
  ["application/x-ndjson", '{"value":1}\n{'],
  ["application/vnd.timberline.batches", "\0".repeat(200)],
  ["application/vnd.timberline.kafka", "\0\0\0\x04abcd"],
  ["multipart/form-data; boundary=x", "--x--"],
  ["no media type at all", "x"],
  ["application/json; charset=utf-16", "{}"],
];

test("every route takes wrong path segments", async () => {
  await askAll(routes.flatMap((route) => wrongSegments.map((segment) => asked(route, segment))));
});

test("every route takes wrong parameters, and says so of numbers and choices", async () => {
  const texts: Asked[] = [];
  const refused: Asked[] = [];
  for (const route of routes) {
    for (const { name, in: place, schema } of route.operation.parameters ?? []) {
      if (place !== "query") continue;
      const plain = asked(route, "victim");
      const withValue = (value: string) => ({ ...plain, path: `${plain.path}?${name}=${value}` });
      texts.push(...wrongTexts.map(withValue));
      if (schema?.type === "integer") refused.push(...wrongNumbers.map(withValue));
      if (schema?.enum !== undefined) refused.push(withValue("neither"), withValue(""));
    }
  }
  assert.ok(refused.length > 50, `${refused.length} wrong values`);
  await askAll(texts);
  for (const [status, what] of await askAll(refused)) assert.ok(status >= 400, what);
});

test("every route takes wrong bodies and media types", async () => {
  const changing = routes.filter(({ method }) => method !== "GET");
  await askAll(
    changing.flatMap((route) =>
      wrongBodies.map(([type, body]) => ({
        ...asked(route, "victim"),
        headers: { "content-type": type },
        body,
      })),
    ),
  );
});

test("every route takes headers that make no sense", async () => {
  const odd: Record<string, string>[] = [
    { accept: "nothing/at-all" },
    { "content-encoding": "br", "content-type": "application/octet-stream" },
    { "last-event-id": "x".repeat(2000) },
    { "producer-id": "a", "producer-epoch": "-1", "producer-seq": "9".repeat(30) },
    { "stream-seq": "..%", "stream-ttl": "-5", "stream-expires-at": "never" },
    { "if-none-match": '"'.repeat(500), range: "bytes=9-1" },
    { authorization: "Bearer ".padEnd(4000, "x") },
  ];
  await askAll(
    routes.flatMap((route) => odd.map((headers) => ({ ...asked(route, "victim"), headers }))),
  );
});

test("what is no request gets a status in the one error shape", async () => {
  const post = "POST /v1/topics/target/records HTTP/1.1\r\nhost: a\r\n";
  const sent: [text: string, status: number][] = [
    [`GET / HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, 431],
    [`GET /${"x".repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, 431],
    ["\0\x01\x02\r\n\r\n", 400],
    ["GET / HTTP/9.9\r\n\r\n", 400],
    [`${post}content-length: -5\r\n\r\n`, 400],
    [`${post}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`, 400],
  ];
  for (const [text, status] of sent) {
    const connection = await openRaw();
    connection.send(Buffer.from(text, "latin1"));
    assertRefused(await connection.rest(answerMsMax), status, text.slice(0, 40));
  }
});

test("bodies that end early store nothing and hold nothing", async () => {
  const before = await endOffset();
  for (const type of ["application/json", "text/plain", "application/vnd.timberline.batches"]) {
    for (let i = 0; i < 20; i++) {
      const connection = await openRaw();
      const head = `POST /v1/topics/target/records?partition=0 HTTP/1.1\r\nhost: a\r\ncontent-type: ${type}`;
      connection.send(Buffer.from(`${head}\r\ncontent-length: 50000000\r\n\r\n{"value":`));
      connection.close();
    }
  }
  await eventually(async () => (await gauge("timberline_inflight_bytes")) === 0);
  assert.is(await endOffset(), before);
});

test("readers that do not read hold what is on their way and no more", async () => {
  const value = "v".repeat(1_000_000);
  for (let i = 0; i < 20; i++) {
    await request(`${server.http}/v1/topics/target/records`, { body: value });
  }
  const sockets = await Promise.all(
    ["batches", "json", "ndjson", "sse"].flatMap((format) =>
      Array.from({ length: 25 }, () =>
        openPaused(
          `/v1/topics/target/partitions/0/records?offset=0&format=${format}&max_bytes=50000000`,
        ),
      ),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  await request(`${server.http}/healthz`);
  for (const socket of sockets) socket.destroy();
  assertMemory();
});

test("thousands of tails come and go, and leave nothing", async () => {
  for (let round = 0; round < 3; round++) {
    await eventually(async () => (await gauge("timberline_sse_streams")) === 0);
    const path = "/v1/topics/target/partitions/0/records?format=sse";
    const sockets: Socket[] = [];
    for (let i = 0; i < tails; i += 50) {
      sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => openPaused(path)))));
    }
    await eventually(async () => (await gauge("timberline_sse_streams")) === tails);
    const { status, headers } = await request(`${server.http}${path}`, { status: 429 });
    assert.ok(headers.get("retry-after") !== null, `${status} says when to come again`);
    for (const socket of sockets) socket.destroy();
  }
  await eventually(async () => (await gauge("timberline_sse_streams")) === 0);
  assertMemory();
});

test("a head that never ends gets 408", async () => {
  assertRefused(await endless.rest(20_000), 408, "an endless head");
});

test("the client beside worked on and lost nothing", async () => {
  await beside.finish();
  assert.ok(beside.slowestCpuMs < 2_000, `one record waited for ${beside.slowestCpuMs} ms of work`);
});

/** The route with every path parameter replaced by `segment`. */
function asked({ method, path }: { method: string; path: string }, segment: string): Asked {
  return { method, path: path.replaceAll(/(?<=\/)\{[^}]+\}/g, segment) };
}

/** What comes and goes meanwhile (a topic that is deleted) may be a 503, which says: again. Asks all, some at a time; none may hang, fail in the server, or be refused in another shape. */
async function askAll(all: readonly Asked[]): Promise<(readonly [status: number, what: string])[]> {
  const answers: (readonly [number, string])[] = [];
  let next = 0;
  const work = async () => {
    for (let each = all[next++]; each !== undefined; each = all[next++])
      answers.push(await ask(each));
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return answers;
}

async function ask({
  method,
  path,
  headers = {},
  body,
}: Asked): Promise<readonly [number, string]> {
  const what = `${method} ${path.slice(0, 120)} ${JSON.stringify(headers).slice(0, 80)} ${body?.slice(0, 60)}`;
  const gone = new AbortController();
  const late = setTimeout(() => gone.abort(new Error(`no answer: ${what}`)), answerMsMax);
  try {
    const sent = { method, headers, signal: gone.signal, ...(body === undefined ? {} : { body }) };
    const answer = await fetch(`${server.http}${path}`, sent);
    if (answer.status >= 500 && answer.status !== 503) {
      throw new Error(`${answer.status}: ${what}\n${await answer.text()}`);
    }
    const type = answer.headers.get("content-type") ?? "";
    if (answer.ok && streams.test(type)) gone.abort();
    else await checkShape(answer, path, what);
    return [answer.status, what];
  } finally {
    clearTimeout(late);
  }
}

async function checkShape(answer: Response, path: string, what: string): Promise<void> {
  const text = await answer.text();
  if (answer.status < 400) return;
  const given = JSON.parse(text) as { error?: Record<string, unknown>; error_code?: number };
  const isConfluent = confluentRoutes.test(path) && given.error === undefined;
  if (isConfluent) return assert.type(given.error_code, "number", what);
  assert.is(given.error?.status, answer.status, what);
  assert.type(given.error?.code, "string", what);
  assert.ok(String(given.error?.message).length > 5, what);
}

function assertRefused(text: string, status: number, what: string): void {
  assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), what);
  const { error } = JSON.parse(text.slice(text.indexOf("\r\n\r\n"))) as {
    error: { status: number };
  };
  assert.is(error.status, status, what);
}

function assertMemory(): void {
  const peak = peakMiB(server.process.pid);
  if (peak !== undefined) assert.ok(peak < memoryMiBMax, `${Math.round(peak)} MiB at most`);
}

function openRaw(): Promise<RawConnection> {
  const { hostname: host, port } = new URL(server.http);
  return RawConnection.open({ host, port: Number(port) });
}

/** A request whose answer has begun and is not read. */
function openPaused(path: string): Promise<Socket> {
  const { hostname: host, port } = new URL(server.http);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port) });
    socket.on("error", reject);
    socket.once("readable", () => resolve(socket));
    socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
  });
}

async function gauge(name: string): Promise<number> {
  const text = await (await request(`${server.http}/metrics`)).text();
  const found = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1];
  assert.ok(found !== undefined, `no metric ${name}`);
  return Number(found);
}

async function endOffset(): Promise<number> {
  const url = `${server.http}/v1/topics/target/offsets?at=latest`;
  return (await requestJson<{ offsets: { offset: number }[] }>(url)).offsets[0]!.offset;
}

async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("it never came to pass");
}

test.run();
