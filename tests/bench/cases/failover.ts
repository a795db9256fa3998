// A broker of three that leads a third of 1,000 partitions is killed: how long until each of those has acknowledged a
// record again (acks=all, min.insync.replicas=2), asked for by the client library of this project on both sides.

import { type Bench, samples } from "../bench.ts";
import type { Measure } from "../measure.ts";
import type { BenchCase } from "./case.ts";

const shape = { partitions: 1000, replicas: 3 };

export const failoverCases: readonly BenchCase[] = [
  {
    name: "failover-1000",
    what: "kill -9 of one of three brokers, 1,000 partitions: to the last one's next record",
    run: (bench) => bench.onAllCores(() => failoverCase(bench)),
  },
];

async function failoverCase(bench: Bench): Promise<Measure[]> {
  const name = "1,000 partitions fail over";
  const rounds = await bench.rounds(
    name,
    async (side) => {
      const cluster = await bench.cluster(side, "nats");
      const topic = bench.topicName();
      const [leader] = await cluster.createTopic(topic, shape);
      await cluster.produceTo(
        topic,
        Array.from({ length: shape.partitions }, (_, i) => i),
      );
      await cluster.kill(leader!.address);
      const killedMs = performance.now();
      await cluster.produceTo(topic, leader!.partitions);
      const seconds = (performance.now() - killedMs) / 1000;
      cluster.restart(leader!.address);
      const restartedMs = performance.now();
      await cluster.inSync(topic, shape);
      const back = (performance.now() - restartedMs) / 1000;
      await cluster.deleteTopic(topic);
      return { seconds, back };
    },
    { kafkaRounds: 1 },
  );
  return [
    {
      name,
      unit: "s",
      target: { of: "value", atMost: 3 },
      samples: samples(rounds, "seconds"),
      note: "the killed one led a third of them",
    },
    {
      name: `${name}: all in sync after its restart`,
      unit: "s",
      target: undefined,
      samples: samples(rounds, "back"),
      note: "",
    },
  ];
}
