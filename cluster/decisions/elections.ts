// Elections that somebody asks for: back to the preferred leaders, or any live replica where no other can lead
// (Kafka's ElectLeaders). Pure.

import type { ClusterImage } from "../cluster-image.ts";
import type {
  ControlPlane,
  ControlPlaneFault,
  PartitionOutcome,
  PartitionPlace,
  PartitionRecord,
  TopicRecord,
} from "../control-plane.ts";
import { targetReplicas } from "../partition-record.ts";
import { done, type PartitionsDecision } from "./isr-changes.ts";
import { PartitionEdits } from "./partition-edits.ts";

type ElectionRequest = Parameters<ControlPlane["electLeaders"]>[0];
type Kind = ElectionRequest["kind"];

/** Without named partitions the outcomes are those of the partitions that need an election. */
export function decideElections(
  image: ClusterImage,
  { kind, partitions }: ElectionRequest,
): PartitionsDecision {
  const edits = new PartitionEdits(image);
  const places = partitions ?? placesInNeed(image, kind);
  const outcomes = places.map((place): PartitionOutcome => {
    const topic = image.topics.get(place.topic);
    const now = topic && edits.get(topic, place.partition);
    if (!now) return refused(place, "partition-unknown", "There is no such partition.");
    if (!isInNeed(now, kind)) {
      return refused(place, "election-not-needed", `Broker ${now.leader} leads already.`);
    }
    edits.wish(topic as TopicRecord, place.partition, { election: kind });
    const { leader } = edits.get(topic as TopicRecord, place.partition) ?? now;
    return leader === -1 || isInNeed({ ...now, leader }, kind) ? failed(place, kind) : done(place);
  });
  return { changes: edits.changes(), outcomes };
}

function placesInNeed(image: ClusterImage, kind: Kind): PartitionPlace[] {
  return [...image.topics.values()].flatMap((topic) =>
    topic.partitions
      .filter((each) => isInNeed(each, kind))
      .map(({ partition }) => ({ topic: topic.name, partition })),
  );
}

function isInNeed(record: PartitionRecord, kind: Kind): boolean {
  return kind === "unclean" ? record.leader < 0 : record.leader !== targetReplicas(record)[0];
}

function failed(place: PartitionPlace, kind: Kind): PartitionOutcome {
  return kind === "preferred"
    ? refused(place, "preferred-leader-not-available", "The preferred leader is not in sync.")
    : refused(place, "eligible-leaders-not-available", "No replica is alive.");
}

export function refused(
  { topic, partition }: PartitionPlace,
  fault: ControlPlaneFault,
  message: string,
): PartitionOutcome {
  return { topic, partition, fault, message };
}
