// Formats of the records that groups of the consumer protocol (KIP-848) keep in __consumer_offsets: the group's
// epoch, its members, what each shall have (target) and has (current), and topics that match expressions.
// Persisted: never renumber.

import { RecordReader, RecordWriter } from "../record-bytes.ts";
import type { RawRecord } from "./group-records.ts";

/** Partitions by topic id. */
export type StoredPartitions = readonly { topicId: string; partitions: readonly number[] }[];

export interface StoredConsumerMember {
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly topicNames: readonly string[];
  readonly topicRegex: string | null;
  readonly rebalanceTimeoutMs: number;
  readonly serverAssignor: string | null;
  /** Of a member that speaks the classic protocol in a group of the new one. */
  readonly classic: StoredClassicProtocols | null;
}

export interface StoredClassicProtocols {
  readonly sessionTimeoutMs: number;
  readonly protocols: readonly { name: string; metadata: Uint8Array }[];
}

export interface StoredCurrentAssignment {
  readonly memberEpoch: number;
  readonly previousMemberEpoch: number;
  readonly state: number;
  readonly assigned: StoredPartitions;
  readonly pendingRevocation: StoredPartitions;
}

interface OfGroup<Kind extends string, Value> {
  readonly kind: Kind;
  readonly groupId: string;
  readonly value: Value | null;
}
interface OfMember<Kind extends string, Value> extends OfGroup<Kind, Value> {
  readonly memberId: string;
}

export type ConsumerRecord =
  | OfGroup<"consumer-group", { readonly epoch: number }>
  | OfMember<"consumer-member", StoredConsumerMember>
  | OfGroup<"consumer-target", { readonly assignmentEpoch: number }>
  | OfMember<"consumer-target-member", { readonly partitions: StoredPartitions }>
  | OfMember<"consumer-current", StoredCurrentAssignment>
  | (OfGroup<"consumer-regex", StoredRegex> & { readonly regex: string });

export interface StoredRegex {
  readonly topics: readonly string[];
  readonly version: number;
  readonly timestampMs: number;
}

type Kind = ConsumerRecord["kind"];

const keyVersions: Record<Kind, number> = {
  "consumer-group": 3,
  "consumer-member": 5,
  "consumer-target": 6,
  "consumer-target-member": 7,
  "consumer-current": 8,
  "consumer-regex": 16,
};
const kinds = new Map(Object.entries(keyVersions).map(([kind, key]) => [key, kind as Kind]));
const valueVersion = 0;
const classicMetadataTag = 0;

export function isConsumerRecordKey(version: number): boolean {
  return kinds.has(version);
}

export function encodeConsumerRecord(record: ConsumerRecord): RawRecord {
  const key = new RecordWriter({ flexible: false });
  key.int16(keyVersions[record.kind]);
  key.string(record.groupId);
  if ("memberId" in record) key.string(record.memberId);
  if (record.kind === "consumer-regex") key.string(record.regex);
  if (record.value === null) return { key: key.finish(), value: null };
  const writer = new RecordWriter({ flexible: true });
  writer.int16(valueVersion);
  writeValue(writer, record);
  return { key: key.finish(), value: writer.finish() };
}

/** `key` stands behind its version. */
export function decodeConsumerRecord(
  version: number,
  key: RecordReader,
  value: Uint8Array | null,
): ConsumerRecord {
  const kind = kinds.get(version)!;
  const groupId = key.string();
  const reader = value === null ? null : new RecordReader(value, { flexible: true });
  reader?.int16();
  switch (kind) {
    case "consumer-group":
      return { kind, groupId, value: reader && { epoch: reader.int32() } };
    case "consumer-target":
      return { kind, groupId, value: reader && { assignmentEpoch: reader.int32() } };
    case "consumer-regex":
      return { kind, groupId, regex: key.string(), value: reader && readRegex(reader) };
    case "consumer-member":
      return { kind, groupId, memberId: key.string(), value: reader && readMember(reader) };
    case "consumer-target-member": {
      const memberId = key.string();
      return { kind, groupId, memberId, value: reader && { partitions: readPartitions(reader) } };
    }
    case "consumer-current":
      return { kind, groupId, memberId: key.string(), value: reader && readCurrent(reader) };
  }
}

function writeValue(writer: RecordWriter, record: ConsumerRecord): void {
  if (record.value === null) return;
  if (record.kind === "consumer-group") writer.int32(record.value.epoch);
  else if (record.kind === "consumer-target") writer.int32(record.value.assignmentEpoch);
  else if (record.kind === "consumer-target-member") {
    writePartitions(writer, record.value.partitions);
  } else if (record.kind === "consumer-current") writeCurrent(writer, record.value);
  else if (record.kind === "consumer-regex") writeRegex(writer, record.value);
  else {
    writeMember(writer, record.value);
    return;
  }
  writer.tagged();
}

function writeMember(writer: RecordWriter, member: StoredConsumerMember): void {
  writer.nullableString(member.instanceId);
  writer.nullableString(member.rackId);
  writer.string(member.clientId);
  writer.string(member.clientHost);
  writer.count(member.topicNames.length);
  for (const name of member.topicNames) writer.string(name);
  writer.nullableString(member.topicRegex);
  writer.int32(member.rebalanceTimeoutMs);
  writer.nullableString(member.serverAssignor);
  const { classic } = member;
  writer.tagged(classic ? [{ tag: classicMetadataTag, bytes: classicBytes(classic) }] : []);
}

function classicBytes({ sessionTimeoutMs, protocols }: StoredClassicProtocols): Uint8Array {
  const writer = new RecordWriter({ flexible: true });
  // A struct that may be null starts with a byte that says it is there.
  writer.int8(1);
  writer.int32(sessionTimeoutMs);
  writer.count(protocols.length);
  for (const { name, metadata } of protocols) {
    writer.string(name);
    writer.bytes(metadata);
    writer.tagged();
  }
  writer.tagged();
  return writer.finish();
}

function readMember(reader: RecordReader): StoredConsumerMember {
  const instanceId = reader.nullableString();
  const rackId = reader.nullableString();
  const clientId = reader.string();
  const clientHost = reader.string();
  const topicNames = reader.array(() => reader.string());
  const topicRegex = reader.nullableString();
  const rebalanceTimeoutMs = reader.int32();
  const serverAssignor = reader.nullableString();
  let classic: StoredClassicProtocols | null = null;
  reader.tagged((tag, field) => {
    if (tag === classicMetadataTag) classic = readClassic(field);
  });
  return {
    instanceId,
    rackId,
    clientId,
    clientHost,
    topicNames,
    topicRegex,
    rebalanceTimeoutMs,
    serverAssignor,
    classic,
  };
}

function readClassic(reader: RecordReader): StoredClassicProtocols | null {
  if (reader.int8() < 0) return null;
  const sessionTimeoutMs = reader.int32();
  const protocols = reader.array(() => {
    const name = reader.string();
    const metadata = reader.bytes();
    reader.tagged();
    return { name, metadata };
  });
  return { sessionTimeoutMs, protocols };
}

function writeCurrent(writer: RecordWriter, current: StoredCurrentAssignment): void {
  writer.int32(current.memberEpoch);
  writer.int32(current.previousMemberEpoch);
  writer.int8(current.state);
  writePartitions(writer, current.assigned);
  writePartitions(writer, current.pendingRevocation);
}

function readCurrent(reader: RecordReader): StoredCurrentAssignment {
  return {
    memberEpoch: reader.int32(),
    previousMemberEpoch: reader.int32(),
    state: reader.int8(),
    assigned: readPartitions(reader),
    pendingRevocation: readPartitions(reader),
  };
}

function writeRegex(writer: RecordWriter, regex: StoredRegex): void {
  writer.count(regex.topics.length);
  for (const topic of regex.topics) writer.string(topic);
  writer.int64(regex.version);
  writer.int64(regex.timestampMs);
}

function readRegex(reader: RecordReader): StoredRegex {
  const topics = reader.array(() => reader.string());
  return { topics, version: reader.int64(), timestampMs: reader.int64() };
}

function writePartitions(writer: RecordWriter, topics: StoredPartitions): void {
  writer.count(topics.length);
  for (const { topicId, partitions } of topics) {
    writer.uuid(topicId);
    writer.count(partitions.length);
    for (const partition of partitions) writer.int32(partition);
    writer.tagged();
  }
}

function readPartitions(reader: RecordReader): StoredPartitions {
  return reader.array(() => {
    const topicId = reader.uuid();
    const partitions = reader.array(() => reader.int32());
    reader.tagged();
    return { topicId, partitions };
  });
}
