// Produce and consume as fast as one client can, one partition, page cache: with librdkafka's own load generator
// where it is there, and with ready-made requests, which cost the load's side next to nothing.

import { type Bench, type Figures, type Rounds, samples, withCpu } from "../bench.ts";
import type { BrokerProcess } from "../broker-process.ts";
import { readLoad } from "../load/fetch-load.ts";
import { type ProduceLoad, produceLoad } from "../load/produce-load.ts";
import { type Measure, median, type Target } from "../measure.ts";
import { rdkafkaConsume, rdkafkaProduce } from "../rdkafka.ts";
import type { BenchCase } from "./case.ts";

const gigabyte = 1e9;
const megabyte = 1e6;
/** What one client of librdkafka makes of a stream of records: a request of about this size. */
const clientBatchBytes = 256 * 1024;
const fetchBytesMax = 10 * 1024 * 1024;
const lanes = { connections: 2, inFlight: 5 };

export const throughputCases: readonly BenchCase[] = [
  {
    name: "produce-1k",
    what: "one librdkafka producer, records of 1 KB, acks=all",
    run: (bench) => produceCase(bench, { recordBytes: 1024, records: 1_000_000, atLeast: 3 }),
  },
  {
    name: "produce-100",
    what: "one librdkafka producer, records of 100 B, acks=all",
    run: (bench) =>
      produceCase(bench, {
        recordBytes: 100,
        records: 4_000_000,
        atLeast: 1.4,
        cpuRatioAtMost: 0.5,
      }),
  },
  {
    name: "produce-1k-wire",
    what: "ready-made requests of 256 KiB, records of 1 KB, acks=all: the server is the limit",
    run: (bench) => produceWireCase(bench, { recordBytes: 1024, bytes: 2 * gigabyte, atLeast: 3 }),
  },
  {
    name: "produce-100-wire",
    what: "the same with records of 100 B",
    run: (bench) => produceWireCase(bench, { recordBytes: 100, bytes: gigabyte, atLeast: 1.4 }),
  },
  {
    name: "consume-1k",
    what: "one librdkafka consumer, records of 1 KB, fetches of 10 MB",
    run: consumeCase,
  },
];

interface ProduceCase {
  readonly recordBytes: number;
  readonly records: number;
  readonly atLeast: number;
  readonly cpuRatioAtMost?: number;
}

async function produceCase(bench: Bench, options: ProduceCase): Promise<Measure[]> {
  const { recordBytes } = options;
  const records = bench.scaled(options.records);
  const bytes = records * recordBytes;
  const name = `produce ${recordBytes} B`;
  const rounds = await bench.rounds(name, async (side) => {
    const broker = await bench.broker(side, "page-cache");
    return onNewTopic(bench, broker, (topic) =>
      withCpu(broker, async () => ({
        speed: await produceOnce(bench, broker, { topic, recordBytes, records }),
      })),
    );
  });
  const cpu = cpuPerGigabyte(rounds, bytes);
  const { atLeast, cpuRatioAtMost } = options;
  const target: Target = { of: "ratio", atLeast };
  const cpuTarget: Target | undefined =
    cpuRatioAtMost === undefined ? undefined : { of: "ratio", atMost: cpuRatioAtMost };
  const cpuName = `${name}: server CPU`;
  return [
    { name, unit: "MB/s", target, samples: samples(rounds, "speed"), note: busyNote(rounds) },
    { name: cpuName, unit: "s/GB", target: cpuTarget, samples: cpu, note: "" },
  ];
}

async function produceWireCase(
  bench: Bench,
  options: { recordBytes: number; bytes: number; atLeast: number },
): Promise<Measure[]> {
  const { recordBytes, atLeast } = options;
  const name = `produce ${recordBytes} B, ready-made requests`;
  const totalBytes = bench.scaled(options.bytes);
  const rounds = await bench.rounds(name, async (side) => {
    const broker = await bench.broker(side, "page-cache");
    return onNewTopic(bench, broker, (topic) =>
      withCpu(broker, async () => ({
        speed: await producePrepared(broker, { topic, recordBytes, totalBytes }),
      })),
    );
  });
  const target: Target = { of: "ratio", atLeast };
  const note = busyNote(rounds);
  const speed = samples(rounds, "speed");
  const cpu = cpuPerGigabyte(rounds, totalBytes);
  return [
    { name, unit: "MB/s", target, samples: speed, note },
    { name: `${name}: server CPU`, unit: "s/GB", target: undefined, samples: cpu, note: "" },
  ];
}

export function cpuPerGigabyte(rounds: Rounds, bytes: number): Measure["samples"] {
  const seconds = samples(rounds, "serverCpuSeconds");
  const perGigabyte = (value: number) => (value * gigabyte) / bytes;
  return {
    timberline: seconds.timberline.map(perGigabyte),
    kafka: seconds.kafka.map(perGigabyte),
  };
}

async function consumeCase(bench: Bench): Promise<Measure[]> {
  const name = "consume 1 KB";
  const topic = bench.topicName();
  const totalBytes = bench.scaled(1.5 * gigabyte);
  for (const side of bench.options.sides) {
    const broker = await bench.broker(side, "page-cache");
    await broker.createTopic(topic, 1);
    await producePrepared(broker, { topic, recordBytes: 1024, totalBytes });
  }
  const rounds = await bench.rounds(name, async (side) => {
    const broker = await bench.broker(side, "page-cache");
    const records = await broker.endOffset(topic, 0);
    return withCpu(broker, async () => ({
      speed: await consumeOnce(bench, broker, topic, records),
    }));
  });
  for (const side of bench.options.sides) {
    await (await bench.broker(side, "page-cache")).deleteTopic(topic);
  }
  const target: Target = { of: "ratio", atLeast: 1.2 };
  const note = busyNote(rounds);
  return [{ name, unit: "MB/s", target, samples: samples(rounds, "speed"), note }];
}

/** A topic of its own that is gone afterwards, or dirty pages of one round would be written in the next. */
async function onNewTopic(
  bench: Bench,
  broker: BrokerProcess,
  run: (topic: string) => Promise<Figures>,
): Promise<Figures> {
  const topic = bench.topicName();
  await broker.createTopic(topic, 1);
  try {
    return await run(topic);
  } finally {
    await broker.deleteTopic(topic);
  }
}

async function produceOnce(
  bench: Bench,
  broker: BrokerProcess,
  load: { topic: string; recordBytes: number; records: number },
): Promise<number> {
  const { bootstrap } = broker;
  if (bench.rdkafka !== undefined) return rdkafkaProduce(bench.rdkafka, { bootstrap, ...load });
  return producePrepared(broker, { ...load, totalBytes: load.recordBytes * load.records });
}

async function consumeOnce(
  bench: Bench,
  broker: BrokerProcess,
  topic: string,
  records: number,
): Promise<number> {
  const { bootstrap, address } = broker;
  if (bench.rdkafka !== undefined) {
    return rdkafkaConsume(bench.rdkafka, { bootstrap, topic, recordBytes: 1024, records });
  }
  const load = { topic, partition: 0, endOffset: records, bytesMax: fetchBytesMax };
  const { bytes, seconds } = await readLoad(address, load);
  return bytes / megabyte / seconds;
}

async function producePrepared(
  broker: BrokerProcess,
  load: Pick<ProduceLoad, "topic" | "recordBytes" | "totalBytes">,
): Promise<number> {
  const batchBytes = clientBatchBytes;
  const whole = { ...load, ...lanes, batchBytes, partitions: 1 };
  const { bytes, seconds } = await produceLoad(broker.address, whole);
  return bytes / megabyte / seconds;
}

/** Which side was the limit: shares of a core, or of several. */
export function busyNote(rounds: Rounds): string {
  const percent = (name: string, side: "timberline" | "kafka") => {
    const value = median(samples(rounds, name)[side]);
    return value === undefined ? "–" : `${Math.round(value * 100)} %`;
  };
  const of = (name: string) => `${percent(name, "timberline")} / ${percent(name, "kafka")}`;
  return `busy: server ${of("serverBusy")}, load ${of("loadBusy")}`;
}
