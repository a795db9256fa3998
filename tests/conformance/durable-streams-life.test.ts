// What the public suite cannot see: streams outlive kill -9, Kafka's side of them, bad input, and a partition as a stream.
// Time limit: 60 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { request, requestJson } from "../support/http-client.ts";
import { TestServer } from "../support/server.ts";

let server: TestServer;
test.before(async () => {
  server = await TestServer.start();
});
test.after(async () => {
  await server.kill();
});

const at = (path: string) => `${server.http}/v1/stream/${path}`;
const json = { "content-type": "application/json" };
const text = { "content-type": "text/plain" };

async function put(path: string, headers: Record<string, string>, body?: string) {
  return request(at(path), { method: "PUT", headers, body });
}

function producer(epoch: number, seq: number): Record<string, string> {
  return { ...json, "producer-id": "p", "producer-epoch": `${epoch}`, "producer-seq": `${seq}` };
}

test("a stream, its writers, its end and its forks outlive kill -9", async () => {
  await put("kept/a", { ...json, "stream-ttl": "3600" });
  await request(at("kept/a"), { headers: producer(4, 0), body: '[{"n":1},{"n":2}]' });
  await request(at("kept/a"), { headers: { ...json, "stream-seq": "05" }, body: '{"n":3}' });
  await put("kept/fork", { "stream-forked-from": "/v1/stream/kept/a" });
  await request(at("kept/fork"), { headers: { ...json, "stream-closed": "true" }, body: "4" });
  await request(at("kept/a"), { method: "DELETE" });
  await put("kept/b", text, "one");
  await request(at("kept/b"), {
    headers: { ...text, "producer-id": "p", "producer-epoch": "1", "producer-seq": "0" },
    body: "two",
  });
  await request(at("__ds/subscriptions/s"), {
    method: "PUT",
    body: { type: "pull-wake", pattern: "kept/*", wake_stream: "wakes" },
  });
  const key = await (await request(at("__ds/jwks.json"))).text();
  await server.kill();
  await server.restart();
  assert.equal(await requestJson(at("kept/fork")), [{ n: 1 }, { n: 2 }, { n: 3 }, 4]);
  const fork = await request(at("kept/fork"), { method: "HEAD" });
  assert.is(fork.headers.get("stream-closed"), "true");
  assert.is(fork.headers.get("stream-ttl"), "3600");
  await request(at("kept/a"), { status: 410 });
  await request(at("kept/fork"), { headers: json, body: "5", status: 409 });
  const again = { ...text, "producer-id": "p", "producer-epoch": "1", "producer-seq": "0" };
  await request(at("kept/b"), { headers: again, body: "two", status: 204 });
  const stale = { ...again, "producer-epoch": "0" };
  await request(at("kept/b"), { headers: stale, body: "zombie", status: 403 });
  assert.is(await (await request(at("kept/b"))).text(), "onetwo");
  const found = await requestJson<{ streams: { path: string }[] }>(at("__ds/subscriptions/s"));
  assert.equal(found.streams.map(({ path }) => path).sort(), ["kept/b", "kept/fork"]);
  assert.is(await (await request(at("__ds/jwks.json"))).text(), key);
});

test("Kafka's side and a stream's are one log: records, partitions, and writers that take turns", async () => {
  await put("both", json, '[{"n":1}]');
  await request(`${server.http}/v1/topics/both/records`, { body: { value: { n: 2 } } });
  await request(at("both"), { headers: producer(0, 0), body: '{"n":3}' });
  await request(at("both"), { headers: producer(0, 0), body: '{"n":3}', status: 204 });
  assert.equal(await requestJson(at("both")), [{ n: 1 }, { n: 2 }, { n: 3 }]);
  await request(`${server.http}/v1/topics`, { body: { name: "wide", partitions: 3 } });
  const path = `${server.http}/v1/topics/wide/partitions/2/records`;
  await request(path, { headers: text, body: "by Kafka" });
  assert.is(await (await request(at("wide/2"))).text(), "by Kafka");
  const bytes = { "content-type": "application/octet-stream" };
  await request(at("wide/2"), { headers: bytes, body: ", by HTTP" });
  assert.is(await (await request(at("wide/2"))).text(), "by Kafka, by HTTP");
  await request(at("wide/3"), { status: 404 });
});

test("a hundred writers at once leave each message once, and none out", async () => {
  await put("crowd", json);
  const numbers = Array.from({ length: 300 }, (_, n) => n);
  await Promise.all(numbers.map((n) => request(at("crowd"), { headers: json, body: `${n}` })));
  const read = await requestJson<number[]>(at("crowd"));
  assert.equal(
    read.sort((a, b) => a - b),
    numbers,
  );
});

test("bad input has one shape of answer, and changes nothing", async () => {
  await put("strict", json, "[1]");
  const cases: [string, RequestInit, number][] = [
    ["strict", { method: "POST", headers: json, body: "{" }, 400],
    ["strict", { method: "POST", headers: json, body: "[]" }, 400],
    ["strict", { method: "POST", headers: json, body: new Uint8Array([0x22, 0xff, 0x22]) }, 400],
    ["strict", { method: "POST", headers: text, body: "x" }, 409],
    ["strict", { method: "POST", headers: { ...json, "producer-id": "x" }, body: "1" }, 400],
    [
      "strict",
      { method: "POST", headers: { ...json, "stream-seq": "s".repeat(600) }, body: "1" },
      400,
    ],
    ["strict?offset=12", {}, 400],
    ["strict?offset=0000000000000000_0000000000000009", {}, 400],
    ["strict?offset=9999999999999999_0000000000000000", {}, 400],
    ["strict?offset=-1&live=never", {}, 400],
    ["%zz", {}, 400],
    ["none", {}, 404],
    [`${"x".repeat(300)}`, { method: "PUT" }, 400],
    ["odd", { method: "PUT", headers: { "content-type": "nonsense" } }, 400],
    ["odd", { method: "PUT", headers: { "stream-ttl": "1e3" } }, 400],
    ["odd", { method: "PUT", headers: { "stream-forked-from": "/v1/stream/none" } }, 404],
    ["__ds/subscriptions/x", { method: "PUT", headers: json, body: "[]" }, 400],
    ["__ds/subscriptions/x", { method: "PUT", headers: json, body: '{"type":"webhook"}' }, 400],
    ["__ds/subscriptions/x/ack", { method: "POST", headers: json, body: "{}" }, 401],
    ["__ds/other", {}, 404],
  ];
  for (const [path, init, status] of cases) {
    const response = await fetch(at(path), init);
    const body = (await response.json()) as { error: { status: number; message: string } };
    const what = `${init.method ?? "GET"} ${path}: ${response.status} ${JSON.stringify(body)}`;
    assert.is(response.status, status, what);
    assert.is(body.error.status, status, what);
    assert.ok(body.error.message.length > 0, what);
  }
  assert.equal(await requestJson(at("strict")), [1]);
  await request(at("odd"), { status: 404 });
});

test.run();
