// Bodies that do not come: told 408 in the one error shape, and what they held is free again.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { createHttpApp } from "../../../runtime/http/app.ts";
import { defaultHttpLimits } from "../../../runtime/http/limits.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { platform } from "./door.ts";
import { FakeBroker } from "./fake-broker.ts";

function open() {
  const clock = new ManualClock();
  const broker = new FakeBroker(platform);
  const counters = { sseStreams: 0, inflightBytes: 0 };
  const config = { corsOrigins: [], limits: defaultHttpLimits, version: "test" };
  const parts = { platform: { ...platform, clock }, broker, config, counters };
  const app = createHttpApp({ ...parts, readiness: () => [], report: () => {} });
  /** A body that begins with `begin` and never ends, or goes on when `more` is called. */
  const send = (begin: string, headers: Record<string, string>) => {
    const encoder = new TextEncoder();
    let add: (text: string) => void = () => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        add = (text) => controller.enqueue(encoder.encode(text));
        add(begin);
      },
    });
    const url = "http://localhost/v1/topics/t/partitions/0/records";
    const init = { method: "POST", headers, body, duplex: "half" };
    const answer = Promise.resolve(app.fetch(new Request(url, init as RequestInit)));
    return { answer, more: (text: string) => add(text) };
  };
  return { clock, counters, send, broker };
}

async function pass(clock: ManualClock, seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    await clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const [what, headers, seconds] of [
  ["of known length", { "content-type": "application/json", "content-length": "100" }, 32],
  ["of unknown length", { "content-type": "text/plain" }, 32],
  ["of batches", { "content-type": "application/vnd.timberline.batches" }, 32],
  ["of lines", { "content-type": "application/x-ndjson" }, 602],
] as const) {
  test(`a body ${what} that falls silent gets 408, and its budget is given back`, async () => {
    const { clock, counters, send } = open();
    const { answer } = send('{"value":1}\n', headers);
    await pass(clock, seconds - 5);
    assert.ok(counters.inflightBytes > 0, "it is being read");
    await pass(clock, 5);
    const { status, headers: answered, ...rest } = await answer;
    void rest;
    assert.is(status, 408);
    assert.is(answered.get("connection"), "close");
    const { error } = (await (await answer).json()) as { error: { code: string } };
    assert.is(error.code, "REQUEST_TIMED_OUT");
    assert.is(counters.inflightBytes, 0);
  });
}

test("a stream of lines may be slow, and what came before a silence is stored", async () => {
  const { clock, send, broker } = open();
  const { answer, more } = send('{"value":1}\n', { "content-type": "application/x-ndjson" });
  for (let i = 0; i < 3; i++) {
    await pass(clock, 500);
    more('{"value":2}\n');
  }
  await pass(clock, 602);
  const { stored } = (await (await answer).json()) as { stored: { record_count: number } };
  assert.is(stored.record_count, 4);
  assert.is(broker.appends.length, 4);
});

test.run();
