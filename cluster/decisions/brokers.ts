// Decisions on brokers: they come, fall silent, are heard again, stop, and go for good. Each returns the changes of
// the broker's record together with those of all its partitions: nobody ever sees one without the other. Pure.

import { applyChanges, type ClusterImage, type ImageChange } from "../cluster-image.ts";
import { type BrokerRecord, type ControlPlane, ControlPlaneError } from "../control-plane.ts";
import { PartitionEdits } from "./partition-edits.ts";
import type { PartitionWish } from "./partition-state.ts";
import { holdsReplica } from "./reassignment.ts";

export type Registration = Parameters<ControlPlane["register"]>[0] & {
  readonly incarnation: string;
};

/**
 * The broker begins fenced: it must first hear of everything that is decided. Whatever it led as the process before
 * goes to others now; whoever did not stop cleanly leaves ISR and ELR, and nobody waits for one whose disk is another.
 */
export function decideRegistration(
  image: ClusterImage,
  request: Registration,
): { readonly broker: BrokerRecord; readonly changes: readonly ImageChange[] } {
  const { id, host, port, rack, incarnation, directory } = request;
  const known = image.brokers.get(id);
  // The version numbers all entries there ever were, so an id that was forgotten never gets an old epoch again.
  const epoch = Math.max((known?.epoch ?? 0) + 1, image.version + 1, request.epochMin ?? 0);
  const broker: BrokerRecord = {
    ...{ id, epoch, host, port, rack },
    fenced: true,
    draining: false,
    incarnation,
    ...(directory === undefined ? {} : { directory }),
  };
  const isEmptied = known?.directory !== undefined && known.directory !== directory;
  const wasClean = known !== undefined && request.cleanEpoch === known.epoch && !isEmptied;
  const changes = withPartitions(image, [broker], ({ isr, elr, leader, lastKnownLeader }) => {
    const isConcerned = [...isr, ...elr, leader, lastKnownLeader].includes(id);
    if (!isConcerned) return undefined;
    const losses = { ...(wasClean ? {} : { lost: id }), ...(isEmptied ? { emptied: id } : {}) };
    return { isr: isr.filter((each) => each !== id), ...losses };
  });
  return { broker, changes };
}

/** They are not heard of any more: others lead, and nobody waits for them. */
export function decideFencing(
  image: ClusterImage,
  ids: ReadonlySet<number>,
): readonly ImageChange[] {
  const brokers = recordsOf(image, ids).filter(({ fenced }) => !fenced);
  const gone = new Set(brokers.map(({ id }) => id));
  const fenced = brokers.map((broker) => ({ ...broker, fenced: true }));
  return withPartitions(image, fenced, ({ isr, leader }) =>
    gone.has(leader) || isr.some((id) => gone.has(id))
      ? { isr: isr.filter((id) => !gone.has(id)) }
      : undefined,
  );
}

/** They are heard of and know all that was decided: they may lead what has no leader. */
export function decideUnfencing(
  image: ClusterImage,
  ids: ReadonlySet<number>,
): readonly ImageChange[] {
  const brokers = recordsOf(image, ids).filter(({ fenced }) => fenced);
  const unfenced = brokers.map((broker) => ({ ...broker, fenced: false }));
  return withPartitions(image, unfenced, ({ leader }) => (leader < 0 ? {} : undefined));
}

/** It is about to stop. Where nobody else is in sync it leads until it is gone. Faults: broker-unknown. */
export function decideDrain(image: ClusterImage, id: number): readonly ImageChange[] {
  const broker = brokerOf(image, id);
  const draining = broker.draining ? [] : [{ ...broker, draining: true }];
  const isStaying = (other: number) => {
    const record = image.brokers.get(other);
    return other !== id && record !== undefined && !record.fenced && !record.draining;
  };
  return withPartitions(image, draining, ({ isr }) =>
    isr.includes(id) && isr.some(isStaying)
      ? { isr: isr.filter((each) => each !== id) }
      : undefined,
  );
}

/** Faults: broker-unknown, broker-refused. */
export function decideRemoval(image: ClusterImage, id: number): readonly ImageChange[] {
  const broker = brokerOf(image, id);
  const refuse = (why: string) => new ControlPlaneError("broker-refused", `Broker ${id} ${why}.`);
  if (!broker.fenced) throw refuse("is alive: stop it first");
  if (holdsReplica(image, id)) throw refuse("still has replicas: reassign them first");
  return [{ put: "member-removal", id }];
}

function withPartitions(
  image: ClusterImage,
  brokers: readonly BrokerRecord[],
  wishFor: (partition: {
    readonly isr: readonly number[];
    readonly elr: readonly number[];
    readonly leader: number;
    readonly lastKnownLeader: number;
  }) => PartitionWish | undefined,
): readonly ImageChange[] {
  const changes = brokers.map((broker): ImageChange => ({ put: "member", broker }));
  const edits = new PartitionEdits(applyChanges(image, changes));
  edits.wishAll(wishFor);
  return [...changes, ...edits.changes()];
}

function brokerOf(image: ClusterImage, id: number): BrokerRecord {
  const broker = image.brokers.get(id);
  if (broker) return broker;
  throw new ControlPlaneError("broker-unknown", `Broker ${id} is not registered.`);
}

function recordsOf(image: ClusterImage, ids: ReadonlySet<number>): BrokerRecord[] {
  return [...ids].flatMap((id) => image.brokers.get(id) ?? []);
}
