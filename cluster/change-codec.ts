// The bytes of persisted changes: one line each, `crc32 sequence json\n`. A line that was torn by a crash fails its
// checksum. Persisted: never rename a field; a new meaning needs a new format number in `journal.ts`.

import type { ImageChange } from "./cluster-image.ts";
import type { BrokerRecord, PartitionRecord, TopicRecord } from "./control-plane.ts";

export interface Line {
  readonly sequence: number;
  readonly change: ImageChange;
}

const CRC_DIGITS = 8;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const crcTable = makeCrcTable();

export function encodeLine({ sequence, change }: Line): Uint8Array {
  return sealLine(`${sequence} ${JSON.stringify(plainChange(change))}`);
}

/** Undefined for a line that is damaged; `line` is without its line feed. */
export function decodeLine(line: Uint8Array): Line | undefined {
  const body = openLine(line);
  const space = body?.indexOf(" ") ?? -1;
  if (body === undefined || space < 1) return undefined;
  const change = reviveChange(JSON.parse(body.slice(space + 1)) as PlainChange);
  return { sequence: Number(body.slice(0, space)), change };
}

/** Text with its checksum in front and a line feed behind. */
export function sealLine(text: string): Uint8Array {
  const body = encoder.encode(text);
  const crc = crc32(body).toString(16).padStart(CRC_DIGITS, "0");
  const bytes = new Uint8Array(CRC_DIGITS + 1 + body.length + 1);
  bytes.set(encoder.encode(`${crc} `));
  bytes.set(body, CRC_DIGITS + 1);
  bytes[bytes.length - 1] = 0x0a;
  return bytes;
}

/** The text of a sealed line, or undefined if its checksum does not fit. */
export function openLine(line: Uint8Array): string | undefined {
  if (line.length <= CRC_DIGITS + 1 || line[CRC_DIGITS] !== 0x20) return undefined;
  const body = line.subarray(CRC_DIGITS + 1);
  const crc = crc32(body).toString(16).padStart(CRC_DIGITS, "0");
  for (let digit = 0; digit < CRC_DIGITS; digit++) {
    if (line[digit] !== crc.charCodeAt(digit)) return undefined;
  }
  return decoder.decode(body);
}

type PlainConfigs = Readonly<Record<string, string>>;

/**
 * `[leader, leaderEpoch, partitionEpoch, replicas, isr]`, index = partition; then, only where one of them says
 * something, `[elr, lastKnownLeader, adding, removing]`.
 */
type PlainPartition = readonly [
  leader: number,
  leaderEpoch: number,
  partitionEpoch: number,
  replicas: readonly number[],
  isr: readonly number[],
  elr?: readonly number[],
  lastKnownLeader?: number,
  adding?: readonly number[],
  removing?: readonly number[],
];

/** Brokers that were written before there were clusters have no `draining`. */
type PlainBroker = Omit<BrokerRecord, "draining"> & { readonly draining?: boolean };

export type PlainChange =
  | {
      readonly put: "topic";
      readonly name: string;
      readonly id: string;
      readonly partitions: readonly PlainPartition[];
      readonly configs: PlainConfigs;
    }
  | { readonly put: "topic-removal"; readonly name: string }
  | {
      readonly put: "partitions";
      readonly topicId: string;
      readonly partitions: readonly (readonly [partition: number, ...PlainPartition])[];
    }
  | { readonly put: "broker" | "member"; readonly broker: PlainBroker }
  | { readonly put: "member-removal"; readonly id: number }
  | {
      readonly put: "broker-configs";
      readonly broker: number | null;
      readonly configs: PlainConfigs;
    }
  | {
      readonly put: "group-configs";
      readonly groupId: string;
      readonly configs: PlainConfigs;
    }
  | { readonly put: "producer-ids"; readonly next: number };

/** A change as a JSON value. */
export function plainChange(change: ImageChange): PlainChange {
  if (change.put === "topic") return { put: "topic", ...plainTopic(change.topic) };
  if (change.put === "partitions") {
    const partitions = change.partitions.map(
      (one) => [one.partition, ...plainPartition(one)] as const,
    );
    return { ...change, partitions };
  }
  if (change.put === "broker-configs" || change.put === "group-configs") {
    return { ...change, configs: Object.fromEntries(change.configs) };
  }
  return change;
}

/** The inverse of `plainChange`. */
export function reviveChange(change: PlainChange): ImageChange {
  switch (change.put) {
    case "topic":
      return { put: "topic", topic: reviveTopic(change) };
    case "partitions": {
      const partitions = change.partitions.map(([partition, ...row]) =>
        revivePartition(row, partition),
      );
      return { ...change, partitions };
    }
    case "broker":
    case "member":
      return { put: change.put, broker: { draining: false, ...change.broker } };
    case "broker-configs":
    case "group-configs":
      return { ...change, configs: new Map(Object.entries(change.configs)) };
    default:
      return change;
  }
}

function plainTopic({ name, id, partitions, configs }: TopicRecord) {
  const rows = partitions.map(plainPartition);
  return { name, id, partitions: rows, configs: Object.fromEntries(configs) };
}

function plainPartition(one: PartitionRecord): PlainPartition {
  const row = [one.leader, one.leaderEpoch, one.partitionEpoch, one.replicas, one.isr] as const;
  const { elr, lastKnownLeader, adding, removing } = one;
  const isPlain = elr.length + adding.length + removing.length === 0 && lastKnownLeader < 0;
  return isPlain ? row : [...row, elr, lastKnownLeader, adding, removing];
}

function reviveTopic(topic: Extract<PlainChange, { put: "topic" }>): TopicRecord {
  return {
    name: topic.name,
    id: topic.id,
    partitions: topic.partitions.map(revivePartition),
    configs: new Map(Object.entries(topic.configs)),
  };
}

function revivePartition(row: PlainPartition, partition: number): PartitionRecord {
  const [leader, leaderEpoch, partitionEpoch, replicas, isr] = row;
  const [, , , , , elr = [], lastKnownLeader = -1, adding = [], removing = []] = row;
  const epochs = { leaderEpoch, partitionEpoch };
  return {
    partition,
    leader,
    ...epochs,
    replicas,
    isr,
    elr,
    lastKnownLeader,
    adding,
    removing,
  };
}

/** CRC-32 (IEEE), as gzip's: enough for torn and flipped lines, and small. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function makeCrcTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    return crc;
  });
}
