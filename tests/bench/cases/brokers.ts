// One broker against two behind one command (`serve --brokers 2`), without replicas: requests of one record, many on
// their way, so that the brokers are the limit and not the bytes. Both use all cores of the machine.

import { type Bench, type Figures, withCpu } from "../bench.ts";
import type { ClusterProcess } from "../cluster-process.ts";
import { pipelinedLoad } from "../load/pipelined-load.ts";
import { type Measure, median } from "../measure.ts";
import type { BenchCase } from "./case.ts";

const shape = { partitions: 8, replicas: 1 };
const brokers = 2;
const load = { connections: 4, perWrite: 64, writesInFlight: 4, recordBytes: 100 };
const warmUpMs = 2_000;
const measuredMs = 6_000;

export const brokersCases: readonly BenchCase[] = [
  {
    name: "brokers-cores",
    what: "two brokers on one machine against one: pipelined requests of 100 B, 8 partitions",
    run: brokersCase,
  },
];

async function brokersCase(bench: Bench): Promise<Measure[]> {
  if (!bench.options.sides.includes("timberline")) return [];
  return bench.onAllCores(async () => measures(await pairs(bench)));
}

interface Pair {
  readonly one: Figures;
  readonly several: Figures;
}

async function pairs(bench: Bench): Promise<Pair[]> {
  const one = await bench.newCluster(await bench.brokersOnOneMachine(1));
  const several = await bench.newCluster(await bench.brokersOnOneMachine(brokers));
  const found: Pair[] = [];
  for (let round = 1; round <= bench.options.rounds; round++) {
    const turns = round % 2 === 1 ? [one, several] : [several, one];
    const figures = new Map<ClusterProcess, Figures>();
    for (const cluster of turns) figures.set(cluster, await measured(bench, cluster));
    const pair = { one: figures.get(one)!, several: figures.get(several)! };
    bench.options.progress(`brokers-cores ${round}: ${JSON.stringify(pair)}`);
    found.push(pair);
  }
  await one.discard();
  await several.discard();
  return found;
}

async function measured(bench: Bench, cluster: ClusterProcess): Promise<Figures> {
  const topic = bench.topicName();
  const leaders = await cluster.createTopic(topic, shape);
  const warmUp = await pipelinedLoad(leaders, { ...load, topic, forMs: warmUpMs });
  const forMs = bench.scaled(measuredMs);
  let requests = 0;
  const figures = await withCpu(cluster, async () => {
    const moved = await pipelinedLoad(leaders, { ...load, topic, forMs });
    requests = moved.requests;
    return { speed: requests / moved.seconds };
  });
  const written = await cluster.countRecords(topic);
  if (written !== warmUp.requests + requests) {
    throw new Error(`${written} records are in ${topic}, others were refused`);
  }
  await cluster.deleteTopic(topic);
  return { ...figures, perCpuSecond: requests / figures.serverCpuSeconds! };
}

function measures(found: readonly Pair[]): Measure[] {
  const column = (pick: (pair: Pair) => number | undefined) =>
    found.map(pick).filter((value) => value !== undefined);
  const measure = (name: string, unit: string, values: number[], more: Partial<Measure> = {}) => ({
    name: `pipelined requests: ${name}`,
    unit,
    target: undefined,
    samples: { timberline: values, kafka: [] },
    note: "",
    ...more,
  });
  const percent = (name: string) => {
    const busy = median(column(({ several }) => several[name])) ?? Number.NaN;
    return `${Math.round(busy * 100)} %`;
  };
  const note = `busy with two brokers: brokers ${percent("serverBusy")}, load ${percent("loadBusy")}`;
  const ratio = (name: string) =>
    column(({ one, several }) => (several[name] ?? Number.NaN) / (one[name] ?? Number.NaN));
  return [
    measure(
      "one broker",
      "1/s",
      column(({ one }) => one.speed),
    ),
    measure(
      "two brokers",
      "1/s",
      column(({ several }) => several.speed),
      { note },
    ),
    measure("two brokers, of one", "×", ratio("speed"), { target: { of: "value", atLeast: 1.7 } }),
    measure("two brokers, per CPU second, of one", "×", ratio("perCpuSecond")),
  ];
}
