// Leaders: what Produce and Fetch answers tell a client that asked a broker which does not lead (KIP-951).

import type { TopicId } from "../../cluster/control-plane.ts";
import type { HandlerContext } from "./handler.ts";

export interface CurrentLeader {
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

export interface NodeEndpoint {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

const unknownLeader: CurrentLeader = { leaderId: -1, leaderEpoch: -1 };

/** By name, or by id where the name is empty. */
export function currentLeader(
  { broker }: HandlerContext,
  topic: { readonly name?: string; readonly topicId?: TopicId },
  partition: number,
): CurrentLeader {
  const { topics, topicsById } = broker.cluster();
  const record = topic.name ? topics.get(topic.name) : topicsById.get(topic.topicId ?? "");
  const found = record?.partitions[partition];
  return found ? { leaderId: found.leader, leaderEpoch: found.leaderEpoch } : unknownLeader;
}

/** Where those of `leaders` that are alive can be reached. */
export function leaderEndpoints(
  { broker }: HandlerContext,
  leaders: ReadonlySet<number>,
): NodeEndpoint[] {
  const { brokers } = broker.cluster();
  const endpoints: NodeEndpoint[] = [];
  for (const leader of leaders) {
    const record = brokers.get(leader);
    if (!record || record.fenced) continue;
    const { id, host, port, rack } = record;
    endpoints.push({ nodeId: id, host, port, rack });
  }
  return endpoints;
}
