// Which brokers get the replicas of new partitions, by request or by round robin. Pure: the same input gives the
// same layout, the caller supplies where to start so that topics spread.

import { type ControlPlane, ControlPlaneError } from "./control-plane.ts";

/** Partitions of one topic; as many as Kafka takes in one request. */
export const PARTITIONS_MAX = 10_000;

/** What placement must know of a live broker. */
export interface PlacedBroker {
  readonly id: number;
  readonly rack: string | null;
}

type Layout = Parameters<ControlPlane["createTopic"]>[0]["layout"];

/**
 * Replicas of every partition of a new topic. `brokers` are the live ones; `start` draws the broker that leads the
 * first partition. Faults: invalid-partitions, invalid-replication-factor, invalid-assignment.
 */
export function decideLayout(request: {
  readonly layout: Layout;
  readonly brokers: readonly PlacedBroker[];
  readonly start: (brokers: number) => number;
}): readonly (readonly number[])[] {
  const { layout, brokers } = request;
  if ("assignments" in layout) {
    checkPartitionCount(layout.assignments.length);
    return checkAssignments(layout.assignments, { brokers, count: layout.assignments.length });
  }
  const { partitions, replicationFactor } = layout;
  checkPartitionCount(partitions);
  checkReplicationFactor(replicationFactor, brokers.length);
  const start = request.start(brokers.length);
  return placeReplicas({ brokers, partitions, replicationFactor, start });
}

/**
 * Round robin as Kafka's: leaders walk over the brokers, followers stand next to them, and each full round shifts
 * the followers by one more, so that a broker's partners differ. Where every broker names its rack, a partition has
 * no two replicas in one rack while another has none. Requires 1 ≤ replicationFactor ≤ brokers.
 */
export function placeReplicas(request: {
  readonly brokers: readonly PlacedBroker[];
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Index of the broker that leads partition 0; any integer ≥ 0. */
  readonly start: number;
  /** Number of the first partition to place, when a topic grows. */
  readonly firstPartition?: number;
}): number[][] {
  const { partitions, replicationFactor, start, firstPartition = 0 } = request;
  const brokers = inRackTurns(request.brokers);
  const count = brokers.length;
  checkReplicationFactor(replicationFactor, count);
  return Array.from({ length: partitions }, (_, index) => {
    const turn = firstPartition + index + start;
    const round = Math.floor(turn / count);
    const shifts = Array.from({ length: count - 1 }, (_, place) => {
      return 1 + ((round + place) % (count - 1));
    });
    const walk = [0, ...shifts].map((shift) => brokers[(turn + shift) % count]!);
    return spreadOverRacks(walk, replicationFactor).map(({ id }) => id);
  });
}

/** The first `wanted` brokers of the walk, those of racks that have no replica yet before all others. */
function spreadOverRacks(walk: readonly PlacedBroker[], wanted: number): PlacedBroker[] {
  const chosen: PlacedBroker[] = [];
  const racks = new Set<string>();
  const others: PlacedBroker[] = [];
  for (const broker of walk) {
    const isSpread = broker.rack === null || !racks.has(broker.rack);
    if (isSpread && chosen.length < wanted) chosen.push(broker);
    else others.push(broker);
    if (broker.rack !== null) racks.add(broker.rack);
  }
  return [...chosen, ...others.slice(0, wanted - chosen.length)];
}

/** By id, or one of each rack in turn. If any broker names no rack, none counts: half a plan misplaces the rest. */
function inRackTurns(brokers: readonly PlacedBroker[]): PlacedBroker[] {
  const sorted = [...brokers].sort((a, b) => a.id - b.id);
  if (sorted.some(({ rack }) => rack === null)) {
    return sorted.map(({ id }) => ({ id, rack: null }));
  }
  const seen = new Map<string | null, number>();
  const turns = sorted.map((broker) => {
    const turn = seen.get(broker.rack) ?? 0;
    seen.set(broker.rack, turn + 1);
    return { broker, turn };
  });
  return turns
    .sort((a, b) => a.turn - b.turn || rackOrder(a.broker, b.broker))
    .map(({ broker }) => broker);
}

function rackOrder(a: PlacedBroker, b: PlacedBroker): number {
  if (a.rack === b.rack) return a.id - b.id;
  return (a.rack ?? "") < (b.rack ?? "") ? -1 : 1;
}

/** Hands the assignments back, copied, if each is a list of different live brokers and all are equally long. */
export function checkAssignments(
  assignments: readonly (readonly number[])[],
  { brokers, count }: { readonly brokers: readonly PlacedBroker[]; readonly count: number },
): readonly (readonly number[])[] {
  const replicas = assignments[0]?.length ?? 0;
  if (assignments.length !== count || replicas === 0) {
    throw invalidAssignment(`${count} partitions need as many lists of at least one broker`);
  }
  for (const list of assignments) {
    if (list.length !== replicas) throw invalidAssignment("all partitions need as many replicas");
    if (new Set(list).size !== replicas) throw invalidAssignment(`[${list}] repeats a broker`);
    const stranger = list.find((id) => !brokers.some((broker) => broker.id === id));
    if (stranger !== undefined) throw invalidAssignment(`broker ${stranger} is not registered`);
  }
  return assignments.map((list) => [...list]);
}

function checkPartitionCount(partitions: number): void {
  if (Number.isInteger(partitions) && partitions >= 1 && partitions <= PARTITIONS_MAX) return;
  throw new ControlPlaneError(
    "invalid-partitions",
    `Number of partitions must be between 1 and ${PARTITIONS_MAX}, not ${partitions}.`,
  );
}

function checkReplicationFactor(replicationFactor: number, brokers: number): void {
  if (!Number.isInteger(replicationFactor) || replicationFactor < 1) {
    throw new ControlPlaneError(
      "invalid-replication-factor",
      "Replication factor must be larger than 0.",
    );
  }
  if (replicationFactor <= brokers) return;
  throw new ControlPlaneError(
    "invalid-replication-factor",
    `Unable to replicate the partition ${replicationFactor} time(s): ${brokers} broker(s) are registered.`,
  );
}

function invalidAssignment(why: string): ControlPlaneError {
  return new ControlPlaneError("invalid-assignment", `Invalid replica assignment: ${why}.`);
}
