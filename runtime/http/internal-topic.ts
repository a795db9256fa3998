// Topics in which the HTTP door itself remembers something. They are as safe as the cluster can make them: three
// replicas, or as many as there are brokers.

import { BrokerError } from "../errors.ts";
import type { RoutableBroker } from "../routable-broker.ts";

const replicasMax = 3;

/** Makes it unless it is there. Rejects with `BrokerError`. */
export async function ensureInternalTopic(
  broker: RoutableBroker,
  topic: {
    readonly name: string;
    readonly partitions: number;
    readonly configs: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const { name, partitions, configs } = topic;
  const { topics, brokers } = broker.cluster();
  if (topics.has(name)) return;
  const living = [...brokers.values()].filter(({ fenced }) => !fenced).length;
  const replicationFactor = Math.max(1, Math.min(replicasMax, living));
  try {
    const request = {
      name,
      partitions,
      replicationFactor,
      configs: new Map(Object.entries(configs)),
    };
    await broker.createTopic(request);
  } catch (error) {
    // Somebody else was first.
    if (!(error instanceof BrokerError) || error.code !== "TOPIC_ALREADY_EXISTS") throw error;
  }
}
