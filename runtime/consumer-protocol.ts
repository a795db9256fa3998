// Bytes that consumers exchange inside the classic protocol, with the group's leader as assignor: subscriptions
// and assignments of protocol type "consumer". The coordinator looks into them only to know what a group reads.

import { RecordReader, RecordWriter } from "./record-bytes.ts";

export const consumerProtocolType = "consumer";

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

export interface Subscription {
  readonly version: number;
  readonly topics: readonly string[];
  readonly userData: Uint8Array;
  /** Version 1 and above: what the member holds (cooperative rebalancing). */
  readonly owned: readonly TopicPartitions[];
  /** Version 2 and above: generation in which it held that; -1 unknown. */
  readonly generation: number;
  /** Version 3 and above. */
  readonly rack: string | null;
}

/** Undefined for bytes that are not a subscription: members may agree on anything. */
export function readSubscription(bytes: Uint8Array): Subscription | undefined {
  try {
    const reader = new RecordReader(bytes, { flexible: false });
    const version = reader.int16();
    if (version < 0) return undefined;
    const topics = reader.array(() => reader.string());
    const userData = reader.bytes();
    const owned = version >= 1 ? readTopics(reader) : [];
    const generation = version >= 2 ? reader.int32() : -1;
    const rack = version >= 3 ? reader.nullableString() : null;
    return { version, topics, userData, owned, generation, rack };
  } catch {
    return undefined;
  }
}

/** Version 1, which brokers and members of all ages read: with what the member holds. */
export function writeSubscription(
  topics: readonly string[],
  owned: readonly TopicPartitions[],
): Uint8Array {
  const writer = new RecordWriter({ flexible: false });
  writer.int16(1);
  writer.count(topics.length);
  for (const topic of topics) writer.string(topic);
  writer.bytes(new Uint8Array(0));
  writeTopics(writer, owned);
  return writer.finish();
}

/** What a member's version of the protocol can read: version 0 to 3. */
export function writeAssignment(version: number, topics: readonly TopicPartitions[]): Uint8Array {
  const writer = new RecordWriter({ flexible: false });
  writer.int16(version);
  writeTopics(writer, topics);
  writer.bytes(new Uint8Array(0));
  return writer.finish();
}

/** Undefined for bytes that are not an assignment. */
export function readAssignment(bytes: Uint8Array): readonly TopicPartitions[] | undefined {
  if (bytes.length === 0) return [];
  try {
    const reader = new RecordReader(bytes, { flexible: false });
    return reader.int16() < 0 ? undefined : readTopics(reader);
  } catch {
    return undefined;
  }
}

function writeTopics(writer: RecordWriter, topics: readonly TopicPartitions[]): void {
  writer.count(topics.length);
  for (const { topic, partitions } of topics) {
    writer.string(topic);
    writer.count(partitions.length);
    for (const partition of partitions) writer.int32(partition);
  }
}

function readTopics(reader: RecordReader): TopicPartitions[] {
  return reader.array(() => ({
    topic: reader.string(),
    partitions: reader.array(() => reader.int32()),
  }));
}
