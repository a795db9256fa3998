// What a broker costs beside its work: starting, memory at rest, opening a gigabyte after kill -9, opening 2,000
// partitions after a clean stop and after kill -9. A start ends with the first acknowledged record.

import { setTimeout as pause } from "node:timers/promises";
import { type Bench, samples } from "../bench.ts";
import type { BrokerProcess } from "../broker-process.ts";
import { produceLoad } from "../load/produce-load.ts";
import type { Measure, Target } from "../measure.ts";
import type { BenchCase } from "./case.ts";

const mebibyte = 1024 * 1024;
const restMs = 5_000;
/** One segment of the default size, but for a little. */
const uncleanBytes = 1023 * mebibyte;
const recovered = { connections: 2, inFlight: 5, batchBytes: 64 * 1024, recordBytes: 1024 };
/** Two topics of as many partitions each. */
const partitionsPerTopic = 1000;
const seeded = { connections: 4, inFlight: 8, batchBytes: 1024, recordBytes: 100 };

export const lifeCases: readonly BenchCase[] = [
  { name: "start", what: "an empty folder, to the first acknowledged record", run: startCase },
  { name: "idle", what: "resident memory after the first record, at rest", run: idleCase },
  { name: "recovery", what: "start on 1 GB of unclean segment", run: recoveryCase },
  { name: "partitions-2000", what: "start on 2,000 partitions", run: partitionsCase },
];

async function startCase(bench: Bench): Promise<Measure[]> {
  const rounds = await bench.rounds("start", async (side) => {
    const broker = await bench.newBroker(side, "page-cache");
    const seconds = await broker.start();
    await broker.kill();
    return { seconds };
  });
  return [measure("start, empty", "s", { of: "value", atMost: 0.35 }, samples(rounds, "seconds"))];
}

async function idleCase(bench: Bench): Promise<Measure[]> {
  const rounds = await bench.rounds(
    "idle",
    async (side) => {
      const broker = await bench.newBroker(side, "page-cache");
      await broker.start();
      await pause(restMs);
      const bytes = broker.residentBytes() ?? Number.NaN;
      await broker.discard();
      return { rss: bytes / mebibyte };
    },
    { rounds: 1 },
  );
  return [measure("memory at rest", "MiB", { of: "value", atMost: 90 }, samples(rounds, "rss"))];
}

async function recoveryCase(bench: Bench): Promise<Measure[]> {
  const totalBytes = bench.scaled(uncleanBytes);
  const rounds = await bench.rounds(
    "recovery",
    async (side) => {
      const broker = await bench.newBroker(side, "page-cache");
      await broker.start();
      const topic = bench.topicName();
      await broker.createTopic(topic, 1);
      await produceLoad(broker.address, { ...recovered, topic, partitions: 1, totalBytes });
      await broker.kill();
      const seconds = await broker.start();
      await broker.discard();
      return { seconds };
    },
    { kafkaRounds: 1 },
  );
  const target: Target = { of: "value", atMost: 1.5 };
  return [measure("start on 1 GB unclean", "s", target, samples(rounds, "seconds"))];
}

async function partitionsCase(bench: Bench): Promise<Measure[]> {
  const rounds = await bench.rounds(
    "2,000 partitions",
    async (side) => {
      const broker = await bench.newBroker(side, "page-cache");
      await broker.start();
      const createdInSeconds = await createPartitions(bench, broker);
      await broker.stop();
      const clean = await broker.start();
      await broker.kill();
      const unclean = await broker.start();
      await broker.discard();
      return { createdInSeconds, clean, unclean };
    },
    { kafkaRounds: 1 },
  );
  const target: Target = { of: "value", atMost: 2 };
  const name = "2,000 partitions";
  const after = (what: string, figure: string) =>
    measure(`${name}: start after ${what}`, "s", target, samples(rounds, figure));
  return [
    measure(`${name}: create and fill`, "s", undefined, samples(rounds, "createdInSeconds")),
    after("clean stop", "clean"),
    after("kill -9", "unclean"),
  ];
}

/** Two topics with a batch in each partition. Returns how long it took. */
async function createPartitions(bench: Bench, broker: BrokerProcess): Promise<number> {
  const startedMs = performance.now();
  for (const topic of [bench.topicName(), bench.topicName()]) {
    await broker.createTopic(topic, partitionsPerTopic);
    const totalBytes = partitionsPerTopic * seeded.batchBytes;
    await produceLoad(broker.address, {
      ...seeded,
      topic,
      partitions: partitionsPerTopic,
      totalBytes,
    });
  }
  return (performance.now() - startedMs) / 1000;
}

function measure(
  name: string,
  unit: string,
  target: Target | undefined,
  found: Measure["samples"],
): Measure {
  return { name, unit, target, samples: found, note: "" };
}
