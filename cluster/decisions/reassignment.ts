// Moving replicas: begins, redirects and cancels reassignments (Kafka's AlterPartitionReassignments). They end by
// themselves in `partition-state.ts`, with the ISR change that makes them complete. Pure.

import type { ClusterImage } from "../cluster-image.ts";
import type { PartitionOutcome, PartitionPlace, PartitionRecord } from "../control-plane.ts";
import { isReassigning, originalReplicas, sameIds } from "../partition-record.ts";
import { refused } from "./elections.ts";
import { done, type PartitionsDecision } from "./isr-changes.ts";
import { PartitionEdits } from "./partition-edits.ts";

type Request = PartitionPlace & { readonly replicas: readonly number[] | null };
type Layout = Pick<PartitionRecord, "replicas" | "adding" | "removing">;

export function decideReassignments(
  image: ClusterImage,
  requests: readonly Request[],
): PartitionsDecision {
  const edits = new PartitionEdits(image);
  const outcomes = requests.map((request): PartitionOutcome => {
    const topic = image.topics.get(request.topic);
    const now = topic && edits.get(topic, request.partition);
    if (!topic || !now) return refused(request, "partition-unknown", "There is no such partition.");
    const { replicas } = request;
    if (replicas === null && !isReassigning(now)) {
      return refused(request, "no-reassignment", "No reassignment is under way.");
    }
    const why = replicas && whyNotTo(replicas, image);
    if (why) return refused(request, "invalid-assignment", `Invalid replica assignment: ${why}.`);
    const layout = replicas ? layoutTo(replicas, now) : cancelled(now);
    if (!now.isr.some((id) => layout.replicas.includes(id)) && now.isr.length > 0) {
      const message = "Only replicas that would go are in sync: wait, or reassign to others.";
      return refused(request, "invalid-assignment", message);
    }
    if (!isThere(layout, now)) edits.wish(topic, request.partition, { layout });
    return done(request);
  });
  return { changes: edits.changes(), outcomes };
}

/** A reassignment that is asked for again must not begin again. */
function isThere(layout: Layout, now: PartitionRecord): boolean {
  return (
    sameIds(layout.replicas, now.replicas) &&
    sameIds(layout.adding, now.adding) &&
    sameIds(layout.removing, now.removing)
  );
}

/** Replicas that an earlier, unfinished reassignment added and this one does not want leave at once. */
function layoutTo(target: readonly number[], now: PartitionRecord): Layout {
  const original = originalReplicas(now);
  const removing = original.filter((id) => !target.includes(id));
  const adding = target.filter((id) => !original.includes(id));
  return { replicas: [...target, ...removing], adding, removing };
}

function cancelled(now: PartitionRecord): Layout {
  return { replicas: originalReplicas(now), adding: [], removing: [] };
}

function whyNotTo(replicas: readonly number[], image: ClusterImage): string | undefined {
  if (replicas.length === 0) return "a partition needs a replica";
  if (new Set(replicas).size !== replicas.length) return `[${replicas}] repeats a broker`;
  const stranger = replicas.find((id) => !image.brokers.has(id));
  return stranger === undefined ? undefined : `broker ${stranger} is not registered`;
}

/** Brokers that hold or will hold a replica. */
export function holdsReplica(image: ClusterImage, brokerId: number): boolean {
  for (const topic of image.topics.values()) {
    if (topic.partitions.some(({ replicas }) => replicas.includes(brokerId))) return true;
  }
  return false;
}
