// Many clients on some partitions, and one client on many partitions.

import { type Bench, samples, withCpu } from "../bench.ts";
import type { BrokerProcess, Side } from "../broker-process.ts";
import { fanLoad } from "../load/fetch-load.ts";
import { produceLoad } from "../load/produce-load.ts";
import { type Measure, median, type Target } from "../measure.ts";
import type { BenchCase } from "./case.ts";
import { busyNote } from "./throughput.ts";

const megabyte = 1e6;
const manyPartitions = 1000;
const fan = { partitions: 16, producers: 64, readers: 64, inFlight: 2, recordBytes: 1024 };
const fanBatchBytes = 16 * 1024;
const fanTotalBytes = 400 * megabyte;
const spread = { connections: 8, inFlight: 4, batchBytes: 16 * 1024, recordBytes: 1024 };
const spreadTotalBytes = 400 * megabyte;
const spreadSlices = 5;

export const partitionCases: readonly BenchCase[] = [
  {
    name: "fan-64",
    what: "64 producers and 64 consumers at once on 16 partitions, batches of 16 KiB",
    run: fanCase,
  },
  {
    name: "spread-1000",
    what: "batches of 16 KiB over 1,000 partitions, as part of the same over one",
    run: spreadCase,
  },
];

async function fanCase(bench: Bench): Promise<Measure[]> {
  const name = "64 producers, 64 consumers";
  const rounds = await bench.rounds(name, async (side) => {
    const broker = await bench.broker(side, "page-cache");
    const topic = bench.topicName();
    await broker.createTopic(topic, fan.partitions);
    const totalBytes = bench.scaled(fanTotalBytes);
    const figures = await withCpu(broker, async () => {
      const load = { ...fan, topic, batchBytes: fanBatchBytes, totalBytes };
      const { bytes, seconds } = await fanLoad(broker.address, load);
      return { speed: bytes / megabyte / seconds };
    });
    await broker.deleteTopic(topic);
    return figures;
  });
  const target: Target = { of: "ratio", atLeast: 1.5 };
  const note = `in and out together; ${busyNote(rounds)}`;
  return [{ name, unit: "MB/s", target, samples: samples(rounds, "speed"), note }];
}

async function spreadCase(bench: Bench): Promise<Measure[]> {
  const topics = new Map<Side, { one: string; many: string }>();
  for (const side of bench.options.sides) {
    const broker = await bench.broker(side, "page-cache");
    const [one, many] = [bench.topicName(), bench.topicName()];
    await broker.createTopic(one, 1);
    await broker.createTopic(many, manyPartitions);
    // Every partition has been written to before it is measured.
    await produceTo(broker, many, manyPartitions, 2 * manyPartitions * spread.batchBytes);
    topics.set(side, { one, many });
  }
  const totalBytes = bench.scaled(spreadTotalBytes);
  const rounds = await bench.rounds(
    "1,000 partitions",
    async (side) => {
      const broker = await bench.broker(side, "page-cache");
      const { one, many } = topics.get(side)!;
      const { overOne, overMany } = await inTurn(
        () => produceTo(broker, one, 1, totalBytes / spreadSlices),
        () => produceTo(broker, many, manyPartitions, totalBytes / spreadSlices),
      );
      return { overOne, overMany, part: overMany / overOne };
    },
    { kafkaRounds: 1 },
  );
  for (const [side, { one, many }] of topics) {
    const broker = await bench.broker(side, "page-cache");
    await broker.deleteTopic(one);
    await broker.deleteTopic(many);
  }
  const target: Target = { of: "value", atLeast: 0.7 };
  const speed = (name: string, figure: string): Measure => ({
    name: `batches of 16 KiB, ${name}`,
    unit: "MB/s",
    target: undefined,
    samples: samples(rounds, figure),
    note: "",
  });
  return [
    speed("one partition", "overOne"),
    speed("1,000 partitions", "overMany"),
    {
      name: "1,000 partitions, part of one",
      unit: "of one",
      target,
      samples: samples(rounds, "part"),
      note: "",
    },
  ];
}

/** Slices of both in turn, so that what else the machine does meets both alike. Medians. */
async function inTurn(
  one: () => Promise<number>,
  many: () => Promise<number>,
): Promise<{ overOne: number; overMany: number }> {
  const ones: number[] = [];
  const manys: number[] = [];
  for (let slice = 0; slice < spreadSlices; slice++) {
    ones.push(await one());
    manys.push(await many());
  }
  return { overOne: median(ones)!, overMany: median(manys)! };
}

/** MB/s. */
async function produceTo(
  broker: BrokerProcess,
  topic: string,
  partitions: number,
  totalBytes: number,
): Promise<number> {
  const load = { ...spread, topic, partitions, totalBytes };
  const { bytes, seconds } = await produceLoad(broker.address, load);
  return bytes / megabyte / seconds;
}
