// What leaders ask for: another ISR (Kafka's AlterPartition). Pure.

import type { ClusterImage, ImageChange } from "../cluster-image.ts";
import type {
  ControlPlaneFault,
  IsrChange,
  PartitionOutcome,
  PartitionRecord,
  TopicRecord,
} from "../control-plane.ts";
import { PartitionEdits } from "./partition-edits.ts";

export interface PartitionsDecision {
  readonly changes: readonly ImageChange[];
  /** In the order asked. */
  readonly outcomes: readonly PartitionOutcome[];
}

/** `brokerId` is who asks; its broker epoch has been checked. */
export function decideIsrChanges(
  image: ClusterImage,
  brokerId: number,
  wishes: readonly IsrChange[],
): PartitionsDecision {
  const edits = new PartitionEdits(image);
  const outcomes = wishes.map((wish): PartitionOutcome => {
    const topic = image.topicsById.get(wish.topicId);
    const place = { topic: topic?.name ?? "", partition: wish.partition };
    const now = topic && edits.get(topic, wish.partition);
    if (!now) {
      return { ...place, fault: "partition-unknown", message: "There is no such partition." };
    }
    const refusal = refusalOf(now, wish, { image, brokerId });
    if (refusal) return { ...place, ...refusal };
    const members = new Set(wish.isr.map(({ id }) => id));
    const isr = now.replicas.filter((id) => members.has(id));
    edits.wish(topic as TopicRecord, wish.partition, { isr });
    return done(place);
  });
  return { changes: edits.changes(), outcomes };
}

export function done(place: { topic: string; partition: number }): PartitionOutcome {
  return { topic: place.topic, partition: place.partition, fault: null, message: "" };
}

interface Refusal {
  readonly fault: ControlPlaneFault;
  readonly message: string;
}

function refusalOf(
  now: PartitionRecord,
  wish: IsrChange,
  { image, brokerId }: { readonly image: ClusterImage; readonly brokerId: number },
): Refusal | undefined {
  if (now.leader !== brokerId || now.leaderEpoch !== wish.leaderEpoch) {
    const message = `Broker ${now.leader} leads in epoch ${now.leaderEpoch}.`;
    return { fault: "fenced-leader-epoch", message };
  }
  if (now.partitionEpoch !== wish.partitionEpoch) {
    const message = `The partition epoch is ${now.partitionEpoch}, not ${wish.partitionEpoch}.`;
    return { fault: "stale-partition-epoch", message };
  }
  if (!wish.isr.some(({ id }) => id === brokerId)) {
    return { fault: "ineligible-replica", message: "The leader must be in the ISR." };
  }
  const reason = wish.isr.map((member) => whyNot(member, now, image)).find((why) => why);
  return reason === undefined ? undefined : { fault: "ineligible-replica", message: reason };
}

/** Why a wished member may not be in the ISR. One that is in it already may stay while it is only draining. */
function whyNot(
  { id, epoch }: IsrChange["isr"][number],
  now: PartitionRecord,
  image: ClusterImage,
): string | undefined {
  const broker = image.brokers.get(id);
  if (!broker || !now.replicas.includes(id)) return `Broker ${id} is no replica.`;
  if (broker.epoch !== epoch) return `Broker ${id} has epoch ${broker.epoch}, not ${epoch}.`;
  if (broker.fenced) return `Broker ${id} is fenced.`;
  if (broker.draining && !now.isr.includes(id)) return `Broker ${id} is shutting down.`;
  return undefined;
}
