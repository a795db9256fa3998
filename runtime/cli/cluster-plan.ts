// Where replicas should be: plans for a broker that joins, one that leaves, a topic that moves, and a cluster that is
// to be evened out. Pure and deterministic: placements in, moves out, and as few copies as the goal needs.

import type { TopicPartition } from "../client/mod.ts";
import { ReplicaLayout } from "./cluster-layout.ts";

export interface PlanBroker {
  readonly id: number;
  readonly rack: string | null;
}

/** The replicas a partition has when nothing is under way; the first one is the preferred leader. */
export interface Placement extends TopicPartition {
  readonly replicas: readonly number[];
}

export interface Move extends Placement {
  readonly from: readonly number[];
}

interface PlanInput {
  /** Those that may hold replicas. */
  readonly brokers: readonly PlanBroker[];
  readonly placements: readonly Placement[];
}

/** The broker `id` takes its share of replicas and leaderships from those that have most. */
export function planAddition(input: PlanInput & { readonly id: number }): Move[] {
  const layout = new ReplicaLayout(input);
  layout.evenOut(new Set([input.id]));
  layout.evenLeaders(layout.changed());
  return layout.moves();
}

/** Nothing stays on the broker `id`, which is not in `brokers`. Requires room: see `withoutRoom`. */
export function planRemoval(input: PlanInput & { readonly id: number }): Move[] {
  const layout = new ReplicaLayout(input);
  layout.vacate((id) => id === input.id);
  layout.evenLeaders(layout.changed());
  return layout.moves();
}

/** All partitions onto `brokers` alone, evenly. Requires as many brokers as a partition has replicas. */
export function planOnto(input: PlanInput): Move[] {
  const layout = new ReplicaLayout(input);
  const kept = new Set(input.brokers.map(({ id }) => id));
  layout.vacate((id) => !kept.has(id));
  layout.evenOut();
  layout.evenLeaders(layout.changed());
  return layout.moves();
}

/** As many replicas and leaderships on each broker, every rack used before one twice. */
export function planEven(input: PlanInput): Move[] {
  const layout = new ReplicaLayout(input);
  layout.spreadOverRacks();
  layout.evenOut();
  layout.evenLeaders();
  return layout.moves();
}

/** The partition with most replicas, if they are more than `brokers` can hold. */
export function tooManyReplicas(
  placements: readonly Placement[],
  brokers: number,
): Placement | undefined {
  return placements
    .filter(({ replicas }) => replicas.length > brokers)
    .sort((a, b) => b.replicas.length - a.replicas.length)[0];
}

/** A partition that is on all of `brokers` already: none of them can take another replica of it. */
export function withoutRoom(
  placements: readonly Placement[],
  brokers: readonly PlanBroker[],
): Placement | undefined {
  return placements.find(({ replicas }) => brokers.every(({ id }) => replicas.includes(id)));
}

/** Replicas that have to be copied; the others only change their order. */
export function addedReplicas({ from, replicas }: Move): number[] {
  return replicas.filter((id) => !from.includes(id));
}
