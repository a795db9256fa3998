// Three brokers of each side on this machine: three replicas, acks=all, min.insync.replicas=2.

import {
  type Bench,
  type Figures,
  latencyMeasures,
  type Rounds,
  samples,
  withCpu,
} from "../bench.ts";
import type { Side } from "../broker-process.ts";
import type { ClusterProcess } from "../cluster-process.ts";
import { acknowledgedLatency } from "../load/one-at-a-time.ts";
import { type Leader, produceToLeaders } from "../load/produce-load.ts";
import type { Measure, Target } from "../measure.ts";
import { rdkafkaProduce } from "../rdkafka.ts";
import type { TimberlineKind } from "../timberline.ts";
import type { BenchCase } from "./case.ts";
import { busyNote, cpuPerGigabyte } from "./throughput.ts";

const gigabyte = 1e9;
const megabyte = 1e6;
const clientBatchBytes = 256 * 1024;
/** To each of the three leaders. */
const lanes = { connections: 1, inFlight: 5 };
/** One a broker. */
const shape = { partitions: 3, replicas: 3 };
const manyPartitions = { partitions: 96, replicas: 3 };
/** What a client with little to send makes. */
const smallBatchBytes = 16 * 1024;
const oneAtATime = { count: 3000, warmUp: 3000, recordBytes: 100 };
const throughputTarget: Target = { of: "ratio", atLeast: 1.2 };

export const clusterCases: readonly BenchCase[] = [
  {
    name: "cluster",
    what: "three brokers with NATS, 3 replicas, acks=all: produce and latency",
    run: (bench) => bench.onAllCores(() => clusterCase(bench, "nats")),
  },
  {
    name: "cluster-brokers",
    what: "the same with `serve --brokers 3` and no NATS",
    run: (bench) => bench.onAllCores(() => clusterCase(bench, "brokers")),
  },
];

async function clusterCase(bench: Bench, kind: TimberlineKind): Promise<Measure[]> {
  const prefix = kind === "nats" ? "3 replicas" : "3 replicas, --brokers 3";
  const wire = (what: string, load: WireLoad) =>
    throughput(bench, kind, { name: `${prefix}: ${what}`, ...load });
  return [
    ...(await throughput(bench, kind, {
      name: `${prefix}: produce 1024 B`,
      recordBytes: 1024,
      bytes: 0.6 * gigabyte,
      batchBytes: "client",
      shape,
    })),
    ...(await wire("1024 B, ready-made requests", {
      recordBytes: 1024,
      bytes: gigabyte,
      batchBytes: clientBatchBytes,
      shape,
    })),
    ...(await wire("batches of 16 KiB, 96 partitions", {
      recordBytes: 100,
      bytes: 0.3 * gigabyte,
      batchBytes: smallBatchBytes,
      shape: manyPartitions,
    })),
    ...(await latency(bench, kind, prefix)),
  ];
}

interface WireLoad {
  readonly recordBytes: number;
  readonly bytes: number;
  /** "client": librdkafka makes them. */
  readonly batchBytes: number | "client";
  readonly shape: { readonly partitions: number; readonly replicas: number };
}

async function throughput(
  bench: Bench,
  kind: TimberlineKind,
  load: WireLoad & { readonly name: string },
): Promise<Measure[]> {
  const { name } = load;
  const totalBytes = bench.scaled(load.bytes);
  const rounds = await onTopics(bench, kind, load, (cluster, topic, leaders) =>
    withCpu(cluster, async () => ({
      speed: await produceOnce(bench, cluster, { ...load, topic, leaders, totalBytes }),
    })),
  );
  const speed = samples(rounds, "speed");
  const cpu = cpuPerGigabyte(rounds, totalBytes);
  const note = busyNote(rounds);
  return [
    { name, unit: "MB/s", target: throughputTarget, samples: speed, note },
    { name: `${name}: server CPU`, unit: "s/GB", target: undefined, samples: cpu, note: "" },
  ];
}

async function produceOnce(
  bench: Bench,
  cluster: ClusterProcess,
  load: WireLoad & { topic: string; leaders: readonly Leader[]; totalBytes: number },
): Promise<number> {
  const { topic, recordBytes, totalBytes, leaders } = load;
  if (load.batchBytes === "client" && bench.rdkafka !== undefined) {
    const { bootstrap } = cluster;
    const records = Math.ceil(totalBytes / recordBytes);
    const whole = { bootstrap, topic, recordBytes, records, partition: "any" } as const;
    return rdkafkaProduce(bench.rdkafka, whole);
  }
  const batchBytes = load.batchBytes === "client" ? clientBatchBytes : load.batchBytes;
  const { partitions } = load.shape;
  const whole = { ...lanes, topic, recordBytes, batchBytes, totalBytes, partitions };
  const { bytes, seconds } = await produceToLeaders(leaders, whole);
  return bytes / megabyte / seconds;
}

/** From sending a record to its acknowledgement by all replicas. */
async function latency(bench: Bench, kind: TimberlineKind, prefix: string): Promise<Measure[]> {
  const name = `${prefix}: one record at a time`;
  const load = { name, shape: { partitions: 1, replicas: 3 } };
  const rounds = await onTopics(bench, kind, load, async (_cluster, topic, [leader]) => {
    const count = bench.scaled(oneAtATime.count);
    const { address } = leader!;
    const { p50Ms, p99Ms } = await acknowledgedLatency(address, { ...oneAtATime, topic, count });
    return { p50: p50Ms, p99: p99Ms };
  });
  const target: Target = { of: "ratio", atMost: 1 };
  return latencyMeasures(rounds, name, target);
}

/** Rounds with a topic of their own each, which is gone afterwards. */
function onTopics(
  bench: Bench,
  kind: TimberlineKind,
  { name, shape }: { name: string; shape: WireLoad["shape"] },
  run: (cluster: ClusterProcess, topic: string, leaders: readonly Leader[]) => Promise<Figures>,
): Promise<Rounds> {
  return bench.rounds(name, async (side: Side) => {
    const cluster = await bench.cluster(side, kind);
    const topic = bench.topicName();
    const leaders = await cluster.createTopic(topic, shape);
    try {
      return await run(cluster, topic, leaders);
    } finally {
      await cluster.deleteTopic(topic);
    }
  });
}
