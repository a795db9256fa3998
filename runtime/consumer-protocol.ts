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

/** Version 2, of which older readers take the beginning. `rack` is left to newer versions. */
export function writeSubscription(given: {
  readonly topics: readonly string[];
  readonly userData: Uint8Array;
  readonly owned: readonly TopicPartitions[];
  readonly generation: number;
}): Uint8Array {
  const writer = new RecordWriter({ flexible: false });
  writer.int16(2);
  writer.count(given.topics.length);
  for (const topic of given.topics) writer.string(topic);
  writer.bytes(given.userData);
  writeTopics(writer, given.owned);
  writer.int32(given.generation);
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

/** User data of the assignor "sticky": what the member had, and in which generation. */
export function writeStickyData(
  topics: readonly TopicPartitions[],
  generation: number,
): Uint8Array {
  const writer = new RecordWriter({ flexible: false });
  writeTopics(writer, topics);
  writer.int32(generation);
  return writer.finish();
}

/** The generation is -1 in data of its first version; nothing for bytes that are neither. */
export function readStickyData(bytes: Uint8Array): {
  readonly topics: readonly TopicPartitions[];
  readonly generation: number;
} {
  const reader = new RecordReader(bytes, { flexible: false });
  try {
    const topics = readTopics(reader);
    return { topics, generation: generationAt(reader) };
  } catch {
    return { topics: [], generation: -1 };
  }
}

/** User data of "cooperative-sticky": only the generation, as what is held stands beside it. */
export function writeGeneration(generation: number): Uint8Array {
  const writer = new RecordWriter({ flexible: false });
  writer.int32(generation);
  return writer.finish();
}

export function readGeneration(bytes: Uint8Array): number {
  return generationAt(new RecordReader(bytes, { flexible: false }));
}

function generationAt(reader: RecordReader): number {
  try {
    return reader.int32();
  } catch {
    return -1;
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
