// Compaction beside Kafka's own: the same input into both, cleaned in the same rounds, and the same batches left,
// at the same offsets, with the same records, attributes, sequences and delete horizons set.

import { setTimeout as pause } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Address } from "../support/server.ts";
import { TestServer } from "../support/server.ts";
import {
  activeOffset,
  cleanedWhole,
  type LeftBatch,
  leftBatches,
  partitionFolder,
} from "./compaction-left.ts";
import type { Figures } from "./compaction-proof.ts";
import { TwinWriter } from "./compaction-twin.ts";
import { KafkaBroker } from "./kafka-broker.ts";
import { KafkaTools } from "./kafka-tools.ts";

const topic = "twin";
const rounds = 3;
const stepsPerRound = 250;
const deleteRetentionMs = 1_000;
const backoffMs = "100";
const configs = {
  "cleanup.policy": "compact",
  "segment.bytes": String(1 << 20),
  "min.cleanable.dirty.ratio": "1.0",
  "delete.retention.ms": String(deleteRetentionMs),
};

interface Side {
  readonly address: Address;
  readonly dataDir: string;
}

interface Left {
  readonly endOffset: number;
  readonly activeOffset: number;
  readonly batches: readonly LeftBatch[];
}

/** Queues one test for each seed, where Java and Kafka's jars are. */
export function proveLikeKafka(seeds: readonly number[], report: (figures: Figures) => void): void {
  const tools = KafkaTools.find();
  if (tools === undefined) return;
  for (const seed of seeds) {
    test(`compaction leaves the same batches as Kafka's, seed ${seed}`, () =>
      leavesTheSame(tools, seed, report));
  }
}

async function leavesTheSame(
  tools: KafkaTools,
  seed: number,
  report: (figures: Figures) => void,
): Promise<void> {
  const kafka = await KafkaBroker.start(tools, { "log.cleaner.backoff.ms": backoffMs });
  const server = await TestServer.start({
    args: ["--flush", "os", "--set", `log.cleaner.backoff.ms=${backoffMs}`],
  });
  try {
    const address = { host: "127.0.0.1", port: kafka.port };
    const theirs = await leftOf({ address, dataDir: kafka.dataDir }, seed);
    const ours = await leftOf({ address: server.kafka, dataDir: server.dataDir }, seed);
    for (const [round, left] of theirs.entries()) {
      expectSame(ours[round]!, left, `seed ${seed}, round ${round}`);
    }
    const batches = theirs.map((left) => left.batches.length);
    const of = (wanted: (batch: LeftBatch) => boolean) =>
      theirs.map((left) => left.batches.filter(wanted).length);
    report({
      step: "beside Kafka",
      seed,
      endOffset: theirs.at(-1)!.endOffset,
      batches,
      empty: of(({ records }) => records.length === 0),
      markers: of(({ attributes }) => (attributes & 0x20) !== 0),
      horizons: of(({ attributes }) => (attributes & 0x40) !== 0),
    });
  } finally {
    await kafka.stop();
    await server.kill();
  }
}

/** Says the first batch that differs only: there are hundreds. */
function expectSame(ours: Left, theirs: Left, where: string): void {
  assert.is(ours.endOffset, theirs.endOffset, where);
  assert.is(ours.activeOffset, theirs.activeOffset, where);
  for (const [i, batch] of theirs.batches.entries()) {
    assert.equal(ours.batches[i], batch, `${where}, batch ${i}`);
  }
  assert.is(ours.batches.length, theirs.batches.length, where);
}

/** What is left after each round of writing and cleaning. */
async function leftOf({ address, dataDir }: Side, seed: number): Promise<Left[]> {
  const writer = new TwinWriter(address, { topic, seed });
  const found: Left[] = [];
  await writer.open(configs);
  try {
    for (let round = 0; round < rounds; round++) {
      await writer.write(stepsPerRound);
      // One cleaning a round, for both: how many there were decides on empty batches and horizons.
      await writer.set("min.cleanable.dirty.ratio", "0.0");
      await cleanedWhole(dataDir, { topic });
      await writer.set("min.cleanable.dirty.ratio", "1.0");
      const folder = partitionFolder(dataDir, topic);
      found.push({
        endOffset: await writer.endOffset(),
        activeOffset: activeOffset(folder),
        batches: leftBatches(folder),
      });
      // What this round has marked may go in the next.
      await pause(2 * deleteRetentionMs);
    }
  } finally {
    await writer.close();
  }
  return found;
}
