// ClassicLeader: what the leading member of a classic group does for all: shares the partitions out, and notices when
// there are more of them.

import { readSubscription, type TopicPartitions } from "../consumer-protocol.ts";
import { assignorOf, subscriberOf } from "./classic-assignors.ts";
import { ClientError } from "./error.ts";
import type { Metadata } from "./metadata.ts";

interface Member {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Uint8Array;
}

export class ClassicLeader {
  readonly #metadata: Metadata;
  /** Topics of all members, and what was shared out of them; none while another leads. */
  #topics: readonly string[] = [];
  #counts: ReadonlyMap<string, number> = new Map();

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
  }

  /** Another member leads now. */
  resign(): void {
    this.#topics = [];
  }

  async assign(
    members: readonly Member[],
    protocolName: string,
  ): Promise<ReadonlyMap<string, readonly TopicPartitions[]>> {
    const assignor = assignorOf(protocolName);
    if (assignor === undefined) {
      const what = `The group chose the assignor ${protocolName}, which this client did not offer.`;
      throw new ClientError("INCONSISTENT_GROUP_PROTOCOL", what);
    }
    const topics = members.flatMap(({ metadata }) => readSubscription(metadata)?.topics ?? []);
    this.#topics = [...new Set(topics)].sort();
    this.#counts = await this.#look();
    const subscribers = members.map((member) => subscriberOf(member, assignor));
    return assignor.assign(subscribers, this.#counts);
  }

  /** Topics have come, gone or grown since. */
  async isOutdated(): Promise<boolean> {
    if (this.#topics.length === 0) return false;
    const now = await this.#look();
    const shared = this.#counts;
    return (
      now.size !== shared.size || [...now].some(([topic, count]) => shared.get(topic) !== count)
    );
  }

  /** Partition counts of those that exist, asked for afresh. */
  async #look(): Promise<Map<string, number>> {
    const topics = this.#topics;
    for (const topic of topics) this.#metadata.invalidate(topic);
    const found = await Promise.allSettled(
      topics.map((topic) => this.#metadata.load(topic, { create: false })),
    );
    const counts = new Map<string, number>();
    for (const [i, topic] of topics.entries()) {
      const result = found[i]!;
      if (result.status === "fulfilled") counts.set(topic, result.value.partitions.length);
      else if (!isMissing(result.reason)) throw result.reason;
    }
    return counts;
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as Partial<ClientError>;
  return code === "UNKNOWN_TOPIC_OR_PARTITION" || code === "INVALID_TOPIC_EXCEPTION";
}
