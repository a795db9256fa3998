// Replica assignments: the checks of replicas that an admin client chose by hand, for CreateTopics and
// CreatePartitions. Here, so that a request that only validates is answered as the real one would be.

import type { Broker } from "../broker.ts";
import { BrokerError } from "../errors.ts";

export type Replicas = readonly number[];

/**
 * Every partition needs known brokers, each once, and as many as the others (`replicationFactor`, or those of
 * the first). Throws INVALID_REPLICA_ASSIGNMENT.
 */
export function checkAssignments(
  assignments: readonly Replicas[],
  { broker, replicationFactor }: { broker: Broker; replicationFactor?: number | undefined },
): void {
  const { brokers } = broker.cluster();
  const factor = replicationFactor ?? assignments[0]?.length ?? 0;
  for (const replicas of assignments) {
    if (replicas.length === 0) throw invalidAssignment("includes an empty replica list.");
    const unknown = replicas.find((id) => !brokers.has(id));
    if (unknown !== undefined) {
      throw invalidAssignment(`includes broker ${unknown}, but no such broker is registered.`);
    }
    const twice = replicas.find((id, at) => replicas.indexOf(id) !== at);
    if (twice !== undefined) {
      throw invalidAssignment(`includes the broker ${twice} more than once.`);
    }
    if (replicas.length !== factor) {
      throw invalidAssignment(
        `includes a partition with ${replicas.length} replica(s), where the others have ${factor}.`,
      );
    }
  }
}

function invalidAssignment(what: string): BrokerError {
  return new BrokerError("INVALID_REPLICA_ASSIGNMENT", `The manual partition assignment ${what}`);
}
