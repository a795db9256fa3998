// Where brokers are, as a client is told: by the listener it came through; and what Produce and Fetch answers tell one
// that asked a broker which does not lead (KIP-951).

import type { BrokerRecord, TopicId } from "../../cluster/control-plane.ts";
import type { HostPort } from "../config.ts";
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

/** Where this client reaches a broker: this one through the listener that it came by already. */
export function addressOf(
  record: BrokerRecord,
  { broker, connection }: Pick<HandlerContext, "broker" | "connection">,
): HostPort {
  const { advertised } = connection;
  return advertised !== undefined && record.id === broker.brokerId ? advertised : record;
}

/** Where those of `leaders` that are alive can be reached. */
export function leaderEndpoints(
  context: HandlerContext,
  leaders: ReadonlySet<number>,
): NodeEndpoint[] {
  const { brokers } = context.broker.cluster();
  const endpoints: NodeEndpoint[] = [];
  for (const leader of leaders) {
    const record = brokers.get(leader);
    if (!record || record.fenced) continue;
    const { host, port } = addressOf(record, context);
    endpoints.push({ nodeId: record.id, host, port, rack: record.rack });
  }
  return endpoints;
}
