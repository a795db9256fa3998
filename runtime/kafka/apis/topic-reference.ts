// A topic as OffsetCommit and OffsetFetch name it: by name, from version 10 on by id alone.

import type { ClusterState } from "../../../cluster/control-plane.ts";

export const topicIdsSince = 10;

export interface TopicReference {
  readonly name: string;
  readonly topicId: string;
}

/** The topic's name; undefined for an id that no topic has. */
export function nameOf(
  topic: TopicReference,
  cluster: ClusterState,
  version: number,
): string | undefined {
  return version < topicIdsSince ? topic.name : cluster.topicsById.get(topic.topicId)?.name;
}
