// A gateway before Timberline: what it does, and what happens when brokers and gateways go away.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { request, requestJson } from "../support/http-client.ts";
import { runProcess } from "../support/processes.ts";
import { currentNode } from "../support/runtimes.ts";
import { sourceEntry, TestServer } from "../support/server.ts";
import { gatewayCases, streamCases } from "./gateway-cases.ts";
import { TestGateway } from "./gateway-process.ts";
import { restCases } from "./rest-cases.ts";

const upstream = await TestServer.start({ args: ["--flush", "os"] });
const gateway = await TestGateway.start(upstream.bootstrap);
const other = await TestGateway.start(upstream.bootstrap);
gatewayCases(() => gateway.http);
streamCases(() => [gateway.http, other.http]);
restCases(() => [gateway.http, other.http]);

test("gateway: says 503 and why while the upstream is away, and goes on when it is back", async () => {
  const { http } = gateway;
  await request(`${http}/v1/topics/away/records`, { body: { value: "before" } });
  await upstream.kill();
  const url = `${http}/v1/topics/away/records`;
  const refused = await requestJson<{ error: { message: string } }>(url, {
    body: { value: "lost" },
    status: 503,
  });
  assert.match(refused.error.message, /upstream cluster \(127\.0\.0\.1:\d+\) does not answer/);
  await request(`${http}/readyz`, { status: 503 });
  await request(`${http}/healthz`);
  await upstream.restart();
  await untilReady(http);
  await request(url, { body: { value: "after" } });
  const page = await requestJson<{ records: { value: string }[] }>(
    `${http}/v1/topics/away/partitions/0/records?offset=0`,
  );
  assert.equal(
    page.records.map(({ value }) => value),
    ["before", "after"],
  );
});

test("gateway: a cluster that is not there ends it with one sentence", async () => {
  const own = ["gateway", "--bootstrap", "127.0.0.1:1", "--http-port", "0", "--timeout", "1s"];
  const end = await runProcess(currentNode().command(sourceEntry, ...own), { limitMs: 20_000 });
  assert.is(end.code, 3);
  assert.match(end.stderr, /^error: no broker of 127\.0\.0\.1:1 answers: .*\n$/);
});

async function untilReady(http: string): Promise<void> {
  for (let look = 0; look < 200; look++) {
    const { status } = await fetch(`${http}/readyz`);
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the gateway does not become ready");
}

test.run();
