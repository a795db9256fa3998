// Partition places: lists of partitions as Kafka's admin messages nest them, topic by topic, and flat.

import type { PartitionPlace } from "../../cluster/control-plane.ts";

/** Flat, in the order asked, each once. */
export function placesOf(
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
): PartitionPlace[] {
  const asked = new Map<string, Set<number>>();
  for (const { topic, partitions } of topics) {
    const numbers = asked.get(topic) ?? new Set();
    for (const partition of partitions) numbers.add(partition);
    asked.set(topic, numbers);
  }
  return [...asked].flatMap(([topic, numbers]) =>
    [...numbers].map((partition) => ({ topic, partition })),
  );
}

/** Nested, in the order in which topics are first met. */
export function byTopic<P extends PartitionPlace>(places: readonly P[]): [string, P[]][] {
  const topics = new Map<string, P[]>();
  for (const place of places) {
    const partitions = topics.get(place.topic);
    if (partitions) partitions.push(place);
    else topics.set(place.topic, [place]);
  }
  return [...topics];
}
