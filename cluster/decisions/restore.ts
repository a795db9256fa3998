// Bringing metadata back from a snapshot: what the snapshot has returns, nothing that is known now goes, and every
// epoch rises above all that anyone can have seen. Pure.

import {
  applyChanges,
  type ClusterImage,
  changesOf,
  type ImageChange,
  imageOf,
} from "../cluster-image.ts";
import type { PartitionRecord, TopicRecord } from "../control-plane.ts";
import { PartitionEdits } from "./partition-edits.ts";

/** What others may have seen beyond the newest copy: no snapshot is older than this many elections. */
const EPOCH_GAP = 1_000;
const PRODUCER_ID_GAP = 1_000_000;

/** The whole image as it is from now on; version and controller are the caller's. */
export function decideRestore(now: ClusterImage, snapshot: ClusterImage): ClusterImage {
  const changes: ImageChange[] = [
    ...brokersOf(now, snapshot),
    ...topicsOf(now, snapshot),
    ...[...snapshot.brokerConfigs].map(
      ([broker, configs]): ImageChange => ({ put: "broker-configs", broker, configs }),
    ),
    ...[...snapshot.groupConfigs].map(
      ([groupId, configs]): ImageChange => ({ put: "group-configs", groupId, configs }),
    ),
    { put: "producer-ids", next: nextProducerId(now, snapshot) },
  ];
  const known = imageOf(now.clusterId, changesOf(now));
  const restored = imageOf(now.clusterId, changes, known);
  // Who leads and who is in sync stands in either one; who is alive is known now.
  const edits = new PartitionEdits(restored);
  edits.wishAll(() => ({}));
  return applyChanges(restored, edits.changes());
}

function* brokersOf(now: ClusterImage, snapshot: ClusterImage): Generator<ImageChange> {
  for (const broker of snapshot.brokers.values()) {
    const known = now.brokers.get(broker.id);
    if (known === undefined || known.epoch < broker.epoch) {
      yield { put: "member", broker: { ...broker, fenced: true } };
    }
  }
}

function* topicsOf(now: ClusterImage, snapshot: ClusterImage): Generator<ImageChange> {
  for (const topic of now.topics.values()) {
    if (!snapshot.topicsById.has(topic.id)) yield { put: "topic", topic: raised(topic) };
  }
  for (const topic of snapshot.topics.values()) {
    const known = now.topicsById.get(topic.id);
    // Another topic of that name was created since.
    if (known === undefined && now.topics.has(topic.name)) continue;
    yield { put: "topic", topic: raised(known ? newerOf(topic, known) : topic) };
  }
}

/** ISRs of an old snapshot may name replicas that lack records by now: the newer record counts. */
function newerOf(topic: TopicRecord, known: TopicRecord): TopicRecord {
  const count = Math.max(topic.partitions.length, known.partitions.length);
  const partitions = Array.from({ length: count }, (_, partition): PartitionRecord => {
    const a = topic.partitions[partition];
    const b = known.partitions[partition];
    if (!a || !b) return (a ?? b)!;
    return a.partitionEpoch > b.partitionEpoch ? a : b;
  });
  return { ...topic, partitions };
}

function raised(topic: TopicRecord): TopicRecord {
  const partitions = topic.partitions.map((each) => ({
    ...each,
    leaderEpoch: each.leaderEpoch + EPOCH_GAP,
    partitionEpoch: each.partitionEpoch + EPOCH_GAP,
  }));
  return { ...topic, partitions };
}

function nextProducerId(now: ClusterImage, snapshot: ClusterImage): number {
  return Math.max(now.nextProducerId, snapshot.nextProducerId) + PRODUCER_ID_GAP;
}
