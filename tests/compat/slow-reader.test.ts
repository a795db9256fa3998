// A reader so slow that its answer is still on the way when the segment it comes from has left the log, by
// compaction or by retention: it gets every byte, and the file goes when it is done.

import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Client, createClient } from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { fetchRequest } from "../bench/load/requests.ts";
import { createTopic } from "../runtimes/steps.ts";
import { TestServer } from "../support/server.ts";
import { BatchTemplate, NewestOffsets } from "./compaction-input.ts";
import { activeOffset, cleanedWhole, partitionFolder } from "./compaction-left.ts";
import { recordsIn, writeRange } from "./compaction-load.ts";

/** Far more than the sockets of both sides take by themselves. */
const segmentBytes = 32 << 20;
const size = { records: 350_000, keys: 1_000, batchRecords: 1_000, valueBytes: 92, seed: 1 };
const waitMsMax = 20_000;

let server: TestServer;
let client: Client;

test.before(async () => {
  const often = { "log.cleaner.backoff.ms": 50, "log.retention.check.interval.ms": 50 };
  const settings = Object.entries(often).flatMap(([name, ms]) => ["--set", `${name}=${ms}`]);
  server = await TestServer.start({ args: ["--flush", "os", ...settings] });
  client = createClient({ platform: createPlatform(), bootstrap: [server.bootstrap] });
});
test.after(async () => {
  await client.close();
  await server.kill();
});

test("compaction takes no file from under a reader", () =>
  keepsItsBytes("compacted", async (topic) => {
    const value = "0.0";
    const operation = { name: "min.cleanable.dirty.ratio", op: "set", value } as const;
    await client.admin().alterConfigs({ kind: "topic", name: topic }, [operation]);
    await cleanedWhole(server.dataDir, { topic });
  }));

test("retention takes no file from under a reader", () =>
  keepsItsBytes("retained", async (topic) => {
    const end = activeOffset(partitionFolder(server.dataDir, topic));
    await client.admin().deleteRecords({ topic, partition: 0 }, end);
    await until("the segment left the log", () => logsOf(topic).length === 1);
  }));

async function keepsItsBytes(
  topic: string,
  leave: (topic: string) => Promise<void>,
): Promise<void> {
  await createTopic(server.http, topic, 1, {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "1.0",
    "segment.bytes": String(segmentBytes),
    "file.delete.delay.ms": "0",
  });
  const newest = new NewestOffsets(size);
  const template = new BatchTemplate(size);
  await writeRange(server.kafka, { topic, from: 0, to: size.records }, { template, newest });
  const records = activeOffset(partitionFolder(server.dataDir, topic));
  assert.ok(records > 0, "there is a segment to leave");
  const reader = await SlowReader.open(topic);
  await leave(topic);
  await pause(100);
  assert.is(leavingOf(topic).length, 1, "the file is kept for its reader");
  assert.is(recordsIn(await reader.rest(), newest), records);
  reader.close();
  await until("the file is gone", () => leavingOf(topic).length === 0);
}

/** A connection with one fetch of everything, whose answer has begun to come. */
class SlowReader {
  readonly #socket: Socket;
  readonly #bytes: number;

  private constructor(socket: Socket, bytes: number) {
    this.#socket = socket;
    this.#bytes = bytes;
  }

  static async open(topic: string): Promise<SlowReader> {
    const socket = connect({ ...server.kafka, noDelay: true });
    const bytesMax = 2 * segmentBytes;
    const request = fetchRequest({ topic, partition: 0, offset: 0, bytesMax, waitMsMax: 0 });
    for (const chunk of request) socket.write(chunk);
    const size = await new Promise<Buffer>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("readable", () => resolve(socket.read(4) as Buffer));
    });
    return new SlowReader(socket, size.readInt32BE());
  }

  /** The whole frame, without its size. */
  async rest(): Promise<Uint8Array> {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of this.#socket as AsyncIterable<Buffer>) {
      parts.push(part);
      bytes += part.length;
      if (bytes >= this.#bytes) break;
    }
    assert.is(bytes, this.#bytes, "the answer came whole");
    return Buffer.concat(parts);
  }

  close(): void {
    this.#socket.destroy();
  }
}

function logsOf(topic: string): string[] {
  return readdirSync(partitionFolder(server.dataDir, topic)).filter((name) => /\.log$/.test(name));
}

function leavingOf(topic: string): string[] {
  const names = readdirSync(partitionFolder(server.dataDir, topic));
  return names.filter((name) => /\.log\..*deleted$/.test(name));
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + waitMsMax;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`never: ${what}`);
    await pause(10);
  }
}

test.run();
