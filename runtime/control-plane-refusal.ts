// What a control plane refuses, in Kafka's words.

import { ControlPlaneError, type ControlPlaneFault } from "../cluster/control-plane.ts";
import { BrokerError, type ErrorName } from "./errors.ts";

/** The error to throw instead of what a control plane threw. */
export function controlPlaneRefusal(cause: unknown): unknown {
  if (!(cause instanceof ControlPlaneError)) return cause;
  return new BrokerError(errors[cause.fault], cause.message, { cause });
}

const errors: Record<ControlPlaneFault, ErrorName> = {
  unavailable: "REQUEST_TIMED_OUT",
  "stale-broker-epoch": "INVALID_REQUEST",
  "broker-refused": "INVALID_REQUEST",
  "broker-unknown": "BROKER_ID_NOT_REGISTERED",
  "partition-unknown": "UNKNOWN_TOPIC_OR_PARTITION",
  "fenced-leader-epoch": "FENCED_LEADER_EPOCH",
  "stale-partition-epoch": "INVALID_REQUEST",
  "ineligible-replica": "INVALID_REQUEST",
  "election-not-needed": "ELECTION_NOT_NEEDED",
  "preferred-leader-not-available": "PREFERRED_LEADER_NOT_AVAILABLE",
  "eligible-leaders-not-available": "ELIGIBLE_LEADERS_NOT_AVAILABLE",
  "no-reassignment": "NO_REASSIGNMENT_IN_PROGRESS",
  "topic-exists": "TOPIC_ALREADY_EXISTS",
  "topic-unknown": "UNKNOWN_TOPIC_OR_PARTITION",
  "invalid-partitions": "INVALID_PARTITIONS",
  "invalid-replication-factor": "INVALID_REPLICATION_FACTOR",
  "invalid-assignment": "INVALID_REPLICA_ASSIGNMENT",
  "storage-failed": "KAFKA_STORAGE_ERROR",
};
