// MetadataLog over real nats-servers: the conformance suite on one server and on three, and what a service adds:
// it goes away, comes back, forgets, refuses.
// Time limit: 120 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { MetadataLog } from "../../cluster/metadata-log.ts";
import { LogUnavailable } from "../../cluster/metadata-log.ts";
import { NatsRefused, unsafeServer } from "../../cluster/nats-connection.ts";
import { openNatsLog } from "../../cluster/nats-log.ts";
import { natsServerProgram, TestNats } from "../support/nats-server.ts";
import { type LogHarness, metadataLogSuite } from "./metadata-log.ts";

const program = await natsServerProgram();
const clock = {
  monotonicMs: () => performance.now(),
  after(delayMs: number, run: () => void) {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
const encode = (text: string) => new TextEncoder().encode(text);
let clusters = 0;

function settings(servers: readonly string[]) {
  return { servers, clock, report: () => {} };
}

/** A cluster of its own on shared servers. */
function harness(servers: readonly string[]): LogHarness {
  const name = `c${++clusters}`;
  const opened: MetadataLog[] = [];
  return {
    async open() {
      const log = await openNatsLog(settings(servers), name);
      opened.push(log);
      return log;
    },
    async close() {
      for (const log of opened) await log.close();
    },
  };
}

if (program !== undefined) {
  const alone = await TestNats.start({ program });
  const three = await TestNats.start({ program, servers: 3 });
  test.after(async () => {
    await alone.stop();
    await three.stop();
  });
  metadataLogSuite("nats", () => harness(alone.urls));
  metadataLogSuite("three nats", () => harness(three.urls));

  test("openNatsLog() keeps three copies in a cluster of servers, and goes on without one", async () => {
    const own = harness(three.urls);
    const log = await own.open();
    const first = await log.append({ expected: 0, id: "a", bytes: encode("a") });
    await three.kill(1);
    const second = await appended(log, { expected: first, id: "b", bytes: encode("b") });
    assert.is(second, first + 1);
    await three.startServer(1);
    await own.close();
  });

  test("append() and follow() go on after the server was away; meanwhile nobody knows", async () => {
    const nats = await TestNats.start({ program });
    const log = await openNatsLog(settings(nats.urls), "away");
    const heard: string[] = [];
    const states: boolean[] = [];
    log.onConnection((isConnected) => states.push(isConnected));
    log.follow(0, {
      entry: ({ bytes }) => void heard.push(new TextDecoder().decode(bytes)),
      caughtUp: () => {},
      reset: () => void heard.push("reset"),
    });
    const first = await log.append({ expected: 0, id: "1", bytes: encode("1") });
    await nats.kill(0);
    const request = { expected: first, id: "2", bytes: encode("2") };
    const error = await log.append(request).catch((reason: unknown) => reason);
    assert.instance(error, LogUnavailable);
    await nats.startServer(0);
    await appended(log, request);
    await until(() => heard.length === 2);
    assert.equal(heard, ["1", "2"]);
    assert.equal(states.slice(0, 2), [true, false]);
    await until(() => states.at(-1) === true);
    await log.close();
    await nats.stop();
  });

  test("follow() says reset when the store was wiped, and append() begins it anew", async () => {
    const nats = await TestNats.start({ program });
    const log = await openNatsLog(settings(nats.urls), "wiped");
    const heard: string[] = [];
    log.follow(0, {
      entry: ({ bytes }) => void heard.push(new TextDecoder().decode(bytes)),
      caughtUp: (last) => void heard.push(`caught up ${last}`),
      reset: () => void heard.push("reset"),
    });
    await log.append({ expected: 0, id: "1", bytes: encode("1") });
    await until(() => heard.includes("1"));
    await nats.kill(0);
    nats.wipe(0);
    await nats.startServer(0);
    await until(
      () => heard.at(-1) === "caught up 0" && heard.includes("reset"),
      () => `${heard}`,
    );
    const sequence = await appended(log, { expected: 0, id: "2", bytes: encode("2") });
    assert.is(sequence, 1);
    // With the stream made anew there may be another reset, and "caught up" after it.
    await until(() => heard.includes("2"));
    await log.close();
    await nats.stop();
  });

  test("openNatsLog() says which credentials to check", async () => {
    const config = "authorization { user: a, password: b }";
    const nats = await TestNats.start({ program, config });
    const error = await openNatsLog(settings(nats.urls), "secret").catch((reason) => reason);
    assert.instance(error, NatsRefused);
    assert.match(error.message, /refuses these credentials: check --nats/);
    const wrong = nats.urls.map((url) => url.replace("//", "//a:hunter2@"));
    const second = await openNatsLog(settings(wrong), "secret").catch((reason) => reason);
    assert.match(second.message, /refuses these credentials/);
    assert.not.match(second.message, /hunter2/);
    const urls = nats.urls.map((url) => url.replace("//", "//a:b@"));
    const log = await openNatsLog(settings(urls), "secret");
    await log.append({ expected: 0, id: "1", bytes: encode("1") });
    await log.close();
    await nats.stop();
  });
}

test("unsafeServer() refuses the versions whose compare-and-set lets two writers win", () => {
  assert.is(unsafeServer("2.15.1", 3), undefined);
  assert.is(unsafeServer("2.9.21", 3), undefined);
  assert.is(unsafeServer("2.9.20", 1), undefined);
  assert.match(unsafeServer("2.9.20", 3) ?? "", /two writers/);
  assert.match(unsafeServer("2.10.19", 1) ?? "", /loses updates/);
  assert.match(unsafeServer("2.1.0", 1) ?? "", /no JetStream/);
});

/** As a member does: again while nobody knows. */
async function appended(log: MetadataLog, request: Parameters<MetadataLog["append"]>[0]) {
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      return await log.append(request);
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  throw new Error("the service did not come back");
}

async function until(isDone: () => boolean, what = () => ""): Promise<void> {
  const endMs = performance.now() + 15_000;
  while (!isDone()) {
    if (performance.now() > endMs) throw new Error(`waited in vain: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test.run();
