// A compacted topic: one producer that says a few keys' newest values, and a reader of what is kept of them.

import type { Workload } from "./workload.ts";

export const balanceTopic = "balances";
export const balancePartitions = 1;
/** Compacted as soon as anything is there to compact. */
export const balanceConfigs = {
  "cleanup.policy": "compact",
  "segment.ms": "300",
  "min.cleanable.dirty.ratio": "0.01",
} as const;

const keys = 5;
const everyMs = 70;

export function saveBalances(workload: Workload, name: string): void {
  const { sends } = workload.history.balances;
  const to = { topic: balanceTopic, partitions: balancePartitions, keys, sends };
  workload.produce(name, { ...to, acks: -1, isIdempotent: true, everyMs });
}

export function readBalances(workload: Workload, name: string): void {
  const { polls } = workload.history.balances;
  const from = { topic: balanceTopic, partitions: balancePartitions, polls };
  workload.read(name, { ...from, isolation: "read_committed" });
}
