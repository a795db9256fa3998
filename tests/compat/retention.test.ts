// Retention deletes, by time and by size, while a writer writes and readers read: a reader that keeps up sees every
// record once; one that is too slow is told OFFSET_OUT_OF_RANGE, and nothing else; the files go away.
// Time limit: 90 s

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Client, createClient } from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { request, requestJson } from "../support/http-client.ts";
import { findTool } from "../support/missing-tool.ts";
import { TestProcess } from "../support/processes.ts";
import { TestServer } from "../support/server.ts";

const segmentBytes = 1 << 20;
const recordBytes = 1000;
const writeMs = 5_000;
const lag = "the slow reader";

interface Case {
  readonly topic: string;
  readonly configs: Record<string, string>;
  /** Set while the writer is at work. */
  readonly later: Record<string, string>;
}

const byTime: Case = {
  topic: "by-time",
  configs: { "retention.ms": "2000" },
  later: {},
};
const bySize: Case = {
  topic: "by-size",
  configs: { "retention.ms": "-1" },
  later: { "retention.bytes": String(3 * segmentBytes) },
};

const kcat = findTool("kcat");
let server: TestServer;
let client: Client;

test.before(async () => {
  const often = ["--set", "log.retention.check.interval.ms=100"];
  server = await TestServer.start({ args: ["--flush", "os", ...often] });
  client = createClient({ platform: createPlatform(), bootstrap: [server.bootstrap] });
  for (const { topic, configs } of [byTime, bySize]) {
    const shared = { "segment.bytes": String(segmentBytes), "file.delete.delay.ms": "200" };
    await request(`${server.http}/v1/topics`, {
      body: { name: topic, configs: { ...shared, ...configs } },
    });
  }
});
test.after(async () => {
  await client.close();
  await server.kill();
});

test("retention.ms deletes with readers at work, down to the last record", async () => {
  const written = await deletesUnderReaders(byTime);
  const start = await settled(
    () => startOffset(byTime.topic),
    (offset) => offset === written,
  );
  assert.is(start, written, "all records are too old in the end");
  await settled(
    () => logFiles(byTime.topic).length,
    (count) => count === 1,
  );
  const logs = logFiles(byTime.topic);
  assert.equal(logs, [{ name: `${String(written).padStart(20, "0")}.log`, bytes: 0 }]);
});

test("retention.bytes set while in use deletes with readers at work, and keeps what fits", async () => {
  const written = await deletesUnderReaders(bySize);
  await settled(
    () => sizeOf(bySize.topic),
    (bytes) => bytes <= 4 * segmentBytes,
  );
  const bytes = sizeOf(bySize.topic);
  assert.ok(bytes >= 3 * segmentBytes && bytes <= 4 * segmentBytes, `${bytes} bytes are kept`);
  const start = await startOffset(bySize.topic);
  const answer = await fetchAt(bySize.topic, start);
  assert.is(answer.offsets[0], start);
  assert.ok(start > 0 && start < written);
});

/** Writes for some seconds with three readers beside; how many records were written. */
async function deletesUnderReaders({ topic, later }: Case): Promise<number> {
  const stop = new AbortController();
  const reading = [readAlong(topic, stop.signal), readSlowly(topic, stop.signal)];
  const program = kcat === undefined ? undefined : followWithKcat(kcat, topic);
  const changing = changeLater(topic, later);
  const written = await write(topic);
  await changing;
  const [along, slowly] = await Promise.all([untilRead(reading[0]!, stop, written), reading[1]!]);
  assert.is(along!.records, written, "records seen by the reader that kept up");
  assert.is(along!.outOfRange, 0);
  assert.ok(slowly.outOfRange > 0, `${lag} was never overtaken by retention`);
  assert.ok(slowly.records > 0, `${lag} never saw a record`);
  if (program !== undefined) {
    const last = new RegExp(`^${written - 1}$`, "m");
    await program.waitFor(last);
    await program.stop("SIGKILL");
    const offsets = program.stdout.trim().split("\n").map(Number);
    assert.is(
      offsets.findIndex((offset, i) => offset !== i),
      -1,
      "kcat saw every record once",
    );
  }
  return written;
}

async function write(topic: string): Promise<number> {
  const producer = client.producer();
  const endMs = performance.now() + writeMs;
  let written = 0;
  while (performance.now() < endMs) {
    const records = Array.from({ length: 50 }, (_, i) => ({ topic, value: textAt(written + i) }));
    await producer.sendBatch(records);
    written += records.length;
    await pause(15);
  }
  await producer.close();
  return written;
}

/** The record's own number, so that a reader sees what it was given. */
function textAt(offset: number): string {
  return `${offset} `.padEnd(recordBytes, String(offset % 10));
}

interface Seen {
  records: number;
  outOfRange: number;
}

/** Keeps up with the writer. Rejects on any error and any gap. */
async function readAlong(topic: string, signal: AbortSignal): Promise<Seen> {
  const consumer = client.consumer();
  await consumer.assign([{ topic, partition: 0, offset: 0 }]);
  const seen: Seen = { records: 0, outOfRange: 0 };
  while (!signal.aborted) {
    const batch = await consumer.poll(100);
    for (const { offset, value } of batch?.records ?? []) {
      assert.is(offset, seen.records);
      assert.is(Buffer.from(value ?? []).toString(), textAt(offset));
      seen.records += 1;
    }
  }
  await consumer.stop();
  return seen;
}

/** Asks for one small page at a time and rests; begins again at the log's start when its place is gone. */
async function readSlowly(topic: string, signal: AbortSignal): Promise<Seen> {
  const seen: Seen = { records: 0, outOfRange: 0 };
  let offset = 0;
  while (!signal.aborted) {
    const page = await fetchAt(topic, offset);
    if (page.isOutOfRange) {
      seen.outOfRange += 1;
      const start = await startOffset(topic);
      assert.ok(start > offset, `offset ${offset} is refused, but the log starts at ${start}`);
      offset = start;
      continue;
    }
    for (const [i, each] of page.offsets.entries()) assert.is(each, offset + i);
    offset += page.offsets.length;
    seen.records += page.offsets.length;
    await pause(50);
  }
  return seen;
}

async function fetchAt(
  topic: string,
  offset: number,
): Promise<{ offsets: number[]; isOutOfRange: boolean }> {
  const url = `${server.http}/v1/topics/${topic}/partitions/0/records`;
  const answer = await fetch(`${url}?offset=${offset}&max_records=20`);
  const body = (await answer.json()) as {
    records?: { offset: number; value: string }[];
    error?: { code: string };
  };
  if (answer.status === 416) {
    assert.is(body.error?.code, "OFFSET_OUT_OF_RANGE");
    return { offsets: [], isOutOfRange: true };
  }
  assert.is(answer.status, 200, JSON.stringify(body));
  for (const record of body.records ?? []) assert.is(record.value, textAt(record.offset));
  return { offsets: (body.records ?? []).map((record) => record.offset), isOutOfRange: false };
}

/** Prints offsets as they come. */
function followWithKcat(program: string, topic: string): TestProcess {
  const flags = ["-o", "beginning", "-q", "-u", "-f", "%o\\n"];
  return new TestProcess([program, "-C", "-b", server.bootstrap, "-t", topic, ...flags]);
}

async function changeLater(topic: string, configs: Record<string, string>): Promise<void> {
  await pause(writeMs / 2);
  if (Object.keys(configs).length === 0) return;
  await request(`${server.http}/v1/topics/${topic}`, { method: "PATCH", body: { configs } });
}

/** Lets the readers go on for a moment, so that the faster can see all. */
async function untilRead(reading: Promise<Seen>, stop: AbortController, written: number) {
  await pause(1_000);
  stop.abort();
  const seen = await reading;
  if (seen.records < written) throw new Error(`${seen.records} of ${written} records came`);
  return seen;
}

async function startOffset(topic: string): Promise<number> {
  const url = `${server.http}/v1/topics/${topic}/offsets?at=earliest`;
  const { offsets } = await requestJson<{ offsets: { offset: number }[] }>(url);
  return offsets[0]!.offset;
}

function logFiles(topic: string): { name: string; bytes: number }[] {
  const folder = join(server.dataDir, `${topic}-0`);
  const names = readdirSync(folder).filter((name) => /\.log(\.deleted)?$/.test(name));
  return names.map((name) => ({
    name,
    bytes: statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0,
  }));
}

function sizeOf(topic: string): number {
  return logFiles(topic).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The value once it is as wanted, or after ten seconds as it is. */
async function settled<T>(read: () => T | Promise<T>, isWanted: (value: T) => boolean): Promise<T> {
  const endMs = performance.now() + 10_000;
  let value = await read();
  while (!isWanted(value) && performance.now() < endMs) {
    await pause(50);
    value = await read();
  }
  return value;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

test.run();
