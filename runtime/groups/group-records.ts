// Formats of the records in __consumer_offsets, Kafka's own to the byte: a key's first two bytes say what the
// record is, a null value forgets it. Persisted: never renumber. Old formats are read, the newest stable ones
// of Kafka 4.1 written. The records of KIP-848 are in `consumer-group-records.ts`.

import { RecordReader, RecordWriter, uuidToBytes } from "../record-bytes.ts";
import {
  type ConsumerRecord,
  decodeConsumerRecord,
  encodeConsumerRecord,
  isConsumerRecordKey,
} from "./consumer-group-records.ts";

/** One committed offset of one partition. */
export interface CommittedOffset {
  readonly offset: number;
  /** -1: unknown. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly commitTimestampMs: number;
  /** -1: by `offsets.retention.minutes`. Only very old clients choose it. */
  readonly expireTimestampMs: number;
}

export interface StoredMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly subscription: Uint8Array;
  readonly assignment: Uint8Array;
}

/** A classic group after a finished rebalance. */
export interface StoredClassicGroup {
  readonly protocolType: string;
  readonly generation: number;
  readonly protocol: string | null;
  readonly leader: string | null;
  readonly currentStateTimestampMs: number;
  readonly members: readonly StoredMember[];
}

export interface OffsetRecord {
  readonly kind: "offset";
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  /** Written, so that Kafka knows offsets of another topic of this name; not read. Absent: not known. */
  readonly topicId?: string;
  /** Null: forgotten. */
  readonly value: CommittedOffset | null;
}

export interface ClassicGroupRecord {
  readonly kind: "classic-group";
  readonly groupId: string;
  readonly value: StoredClassicGroup | null;
}

export type GroupRecord = OffsetRecord | ClassicGroupRecord | ConsumerRecord;

export interface RawRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

const offsetKeyVersion = 1;
const groupKeyVersion = 2;
const groupValueVersion = 3;
const offsetValueVersion = 4;
/** Only this version of offsets can hold an expiry; it cannot hold a leader epoch. */
const expiringValueVersion = 1;
/** First flexible version of both values. */
const flexibleSince = 4;
const topicIdTag = 0;

export function encodeGroupRecord(record: GroupRecord): RawRecord {
  if (record.kind === "offset") return encodeOffset(record);
  if (record.kind === "classic-group") return encodeClassicGroup(record);
  return encodeConsumerRecord(record);
}

/** Undefined: a kind of record that this version does not know. Throws CORRUPT_MESSAGE. */
export function decodeGroupRecord({ key, value }: RawRecord): GroupRecord | undefined {
  const reader = new RecordReader(key, { flexible: false });
  const version = reader.int16();
  if (version <= offsetKeyVersion) {
    const groupId = reader.string();
    const topic = reader.string();
    const partition = reader.int32();
    return { kind: "offset", groupId, topic, partition, value: value && decodeOffset(value) };
  }
  if (version === groupKeyVersion) {
    const groupId = reader.string();
    return { kind: "classic-group", groupId, value: value && decodeClassicGroup(value) };
  }
  if (!isConsumerRecordKey(version)) return undefined;
  return decodeConsumerRecord(version, reader, value);
}

function encodeOffset({ groupId, topic, topicId, partition, value }: OffsetRecord): RawRecord {
  const key = new RecordWriter({ flexible: false });
  key.int16(offsetKeyVersion);
  key.string(groupId);
  key.string(topic);
  key.int32(partition);
  if (value === null) return { key: key.finish(), value: null };
  const { offset, leaderEpoch, metadata, commitTimestampMs, expireTimestampMs } = value;
  const hasExpiry = expireTimestampMs >= 0;
  const writer = new RecordWriter({ flexible: !hasExpiry });
  writer.int16(hasExpiry ? expiringValueVersion : offsetValueVersion);
  writer.int64(offset);
  if (!hasExpiry) writer.int32(leaderEpoch);
  writer.string(metadata);
  writer.int64(commitTimestampMs);
  if (hasExpiry) writer.int64(expireTimestampMs);
  else if (topicId === undefined) writer.tagged();
  else writer.tagged([{ tag: topicIdTag, bytes: uuidToBytes(topicId) }]);
  return { key: key.finish(), value: writer.finish() };
}

function decodeOffset(value: Uint8Array): CommittedOffset {
  const reader = new RecordReader(value, { flexible: false });
  const version = reader.int16();
  reader.flexible = version >= flexibleSince;
  const offset = reader.int64();
  const leaderEpoch = version >= 3 ? reader.int32() : -1;
  const metadata = reader.string();
  const commitTimestampMs = reader.int64();
  const expireTimestampMs = version === expiringValueVersion ? reader.int64() : -1;
  return { offset, leaderEpoch, metadata, commitTimestampMs, expireTimestampMs };
}

function encodeClassicGroup({ groupId, value }: ClassicGroupRecord): RawRecord {
  const key = new RecordWriter({ flexible: false });
  key.int16(groupKeyVersion);
  key.string(groupId);
  if (value === null) return { key: key.finish(), value: null };
  const writer = new RecordWriter({ flexible: false });
  writer.int16(groupValueVersion);
  writer.string(value.protocolType);
  writer.int32(value.generation);
  writer.nullableString(value.protocol);
  writer.nullableString(value.leader);
  writer.int64(value.currentStateTimestampMs);
  writer.count(value.members.length);
  for (const member of value.members) {
    writer.string(member.memberId);
    writer.nullableString(member.groupInstanceId);
    writer.string(member.clientId);
    writer.string(member.clientHost);
    writer.int32(member.rebalanceTimeoutMs);
    writer.int32(member.sessionTimeoutMs);
    writer.bytes(member.subscription);
    writer.bytes(member.assignment);
  }
  return { key: key.finish(), value: writer.finish() };
}

function decodeClassicGroup(value: Uint8Array): StoredClassicGroup {
  const reader = new RecordReader(value, { flexible: false });
  const version = reader.int16();
  reader.flexible = version >= flexibleSince;
  const protocolType = reader.string();
  const generation = reader.int32();
  const protocol = reader.nullableString();
  const leader = reader.nullableString();
  const currentStateTimestampMs = version >= 2 ? reader.int64() : -1;
  const members = reader.array(() => decodeMember(reader, version));
  return { protocolType, generation, protocol, leader, currentStateTimestampMs, members };
}

function decodeMember(reader: RecordReader, version: number): StoredMember {
  const memberId = reader.string();
  const groupInstanceId = version >= 3 ? reader.nullableString() : null;
  const clientId = reader.string();
  const clientHost = reader.string();
  const rebalanceTimeoutMs = version >= 1 ? reader.int32() : -1;
  const sessionTimeoutMs = reader.int32();
  const subscription = reader.bytes();
  const assignment = reader.bytes();
  reader.tagged();
  return {
    memberId,
    groupInstanceId,
    clientId,
    clientHost,
    rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
    sessionTimeoutMs,
    subscription,
    assignment,
  };
}
