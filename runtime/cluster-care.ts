// Care of a cluster: moving leaders and replicas, forgetting brokers, and how the metadata stands, in Kafka's errors.
// What Kafka's admin tools and `timberline cluster` ask a broker for; any broker answers, the controller decides.

import {
  type ControlPlane,
  ControlPlaneError,
  type ControlPlaneStatus,
  type PartitionOutcome,
  type PartitionPlace,
} from "../cluster/control-plane.ts";
import { controlPlaneRefusal } from "./control-plane-refusal.ts";
import type { BrokerError } from "./errors.ts";

/** What became of one of several partitions of a request. */
export interface CaredPartition extends PartitionPlace {
  readonly error: BrokerError | null;
}

export interface ClusterCare {
  status(): ControlPlaneStatus;
  /** `partitions: null`: all that need it; those that do not are left out of the answer then. */
  electLeaders(
    request: Parameters<ControlPlane["electLeaders"]>[0],
  ): Promise<readonly CaredPartition[]>;
  /** `replicas: null` ends a reassignment where it is. Progress is in the partitions' records. */
  reassign(requests: Parameters<ControlPlane["reassign"]>[0]): Promise<readonly CaredPartition[]>;
  /** BROKER_ID_NOT_REGISTERED; INVALID_REQUEST while it lives or has replicas. */
  unregister(brokerId: number): Promise<void>;
}

export function clusterCare(controlPlane: ControlPlane): ClusterCare {
  const cared = async (outcomes: Promise<readonly PartitionOutcome[]>) =>
    (await refusedInKafkasWords(outcomes)).map(caredPartition);
  return {
    status: () => controlPlane.status(),
    electLeaders: (request) => cared(controlPlane.electLeaders(request)),
    reassign: (requests) => cared(controlPlane.reassign(requests)),
    unregister: (brokerId) => refusedInKafkasWords(controlPlane.unregister(brokerId)),
  };
}

async function refusedInKafkasWords<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    throw controlPlaneRefusal(cause);
  }
}

function caredPartition({ topic, partition, fault, message }: PartitionOutcome): CaredPartition {
  if (fault === null) return { topic, partition, error: null };
  const refusal = controlPlaneRefusal(new ControlPlaneError(fault, message));
  return { topic, partition, error: refusal as BrokerError };
}
