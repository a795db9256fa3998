// What a control plane refuses, in Kafka's words.

import { ControlPlaneError, type ControlPlaneFault } from "../cluster/control-plane.ts";
import { BrokerError, type ErrorName } from "./errors.ts";

/** The error to throw instead of what a control plane threw. */
export function controlPlaneRefusal(cause: unknown): unknown {
  if (!(cause instanceof ControlPlaneError)) return cause;
  return new BrokerError(errors[cause.fault], cause.message, { cause });
}

const errors: Record<ControlPlaneFault, ErrorName> = {
  "topic-exists": "TOPIC_ALREADY_EXISTS",
  "topic-unknown": "UNKNOWN_TOPIC_OR_PARTITION",
  "invalid-partitions": "INVALID_PARTITIONS",
  "invalid-replication-factor": "INVALID_REPLICATION_FACTOR",
  "invalid-assignment": "INVALID_REPLICA_ASSIGNMENT",
  "storage-failed": "KAFKA_STORAGE_ERROR",
};
