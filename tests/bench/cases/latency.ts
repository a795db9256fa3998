// One message at a time, from its sending to its arrival at a reader: through the page cache, and with an fsync
// before each acknowledgement.

import { type Bench, latencyMeasures } from "../bench.ts";
import { endToEndLatency } from "../load/one-at-a-time.ts";
import type { Measure, Target } from "../measure.ts";
import type { BenchCase } from "./case.ts";

/** Both sides have compiled their hot paths after so many. */
const load = { count: 4000, warmUp: 4000, recordBytes: 100 };
const target: Target = { of: "ratio", atMost: 0.5 };

export const latencyCases: readonly BenchCase[] = [
  {
    name: "latency",
    what: "end to end, one message of 100 B at a time, page cache",
    run: (bench) => latencyCase(bench, "end to end", "page-cache"),
  },
  {
    name: "latency-fsync",
    what: "the same with an fsync before each acknowledgement",
    run: (bench) => latencyCase(bench, "end to end with fsync", "fsync"),
  },
];

async function latencyCase(
  bench: Bench,
  name: string,
  durability: "page-cache" | "fsync",
): Promise<Measure[]> {
  const rounds = await bench.rounds(name, async (side) => {
    const broker = await bench.broker(side, durability);
    const topic = bench.topicName();
    await broker.createTopic(topic, 1);
    const count = bench.scaled(load.count);
    const { p50Ms, p99Ms } = await endToEndLatency(broker.address, { ...load, topic, count });
    await broker.deleteTopic(topic);
    return { p50: p50Ms, p99: p99Ms };
  });
  return latencyMeasures(rounds, name, target);
}
