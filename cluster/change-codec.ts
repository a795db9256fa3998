// The bytes of persisted changes: one line each, `crc32 sequence json\n`. A line that was torn by a crash fails its
// checksum. Persisted: never rename a field; a new meaning needs a new format number in `journal.ts`.

import type { ImageChange } from "./cluster-image.ts";
import type { BrokerRecord, TopicRecord } from "./control-plane.ts";

export interface Line {
  readonly sequence: number;
  readonly change: ImageChange;
}

const CRC_DIGITS = 8;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const crcTable = makeCrcTable();

export function encodeLine({ sequence, change }: Line): Uint8Array {
  return sealLine(`${sequence} ${JSON.stringify(plain(change))}`);
}

/** Undefined for a line that is damaged; `line` is without its line feed. */
export function decodeLine(line: Uint8Array): Line | undefined {
  const body = openLine(line);
  const space = body?.indexOf(" ") ?? -1;
  if (body === undefined || space < 1) return undefined;
  const change = revive(JSON.parse(body.slice(space + 1)) as PlainChange);
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

/** `[leader, leaderEpoch, partitionEpoch, replicas, isr]`, index = partition. */
type PlainPartition = readonly [number, number, number, readonly number[], readonly number[]];

type PlainChange =
  | {
      readonly put: "topic";
      readonly name: string;
      readonly id: string;
      readonly partitions: readonly PlainPartition[];
      readonly configs: PlainConfigs;
    }
  | { readonly put: "topic-removal"; readonly name: string }
  | { readonly put: "broker"; readonly broker: BrokerRecord }
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

function plain(change: ImageChange): PlainChange {
  if (change.put === "topic") return { put: "topic", ...plainTopic(change.topic) };
  if (change.put === "broker-configs" || change.put === "group-configs") {
    return { ...change, configs: Object.fromEntries(change.configs) };
  }
  return change;
}

function revive(change: PlainChange): ImageChange {
  if (change.put === "topic") return { put: "topic", topic: reviveTopic(change) };
  if (change.put === "broker-configs" || change.put === "group-configs") {
    return { ...change, configs: new Map(Object.entries(change.configs)) };
  }
  return change;
}

function plainTopic({ name, id, partitions, configs }: TopicRecord) {
  const rows = partitions.map(
    (one): PlainPartition => [
      one.leader,
      one.leaderEpoch,
      one.partitionEpoch,
      one.replicas,
      one.isr,
    ],
  );
  return { name, id, partitions: rows, configs: Object.fromEntries(configs) };
}

function reviveTopic(topic: Extract<PlainChange, { put: "topic" }>): TopicRecord {
  return {
    name: topic.name,
    id: topic.id,
    partitions: topic.partitions.map((row, partition) => {
      const [leader, leaderEpoch, partitionEpoch, replicas, isr] = row;
      return { partition, leader, leaderEpoch, partitionEpoch, replicas, isr };
    }),
    configs: new Map(Object.entries(topic.configs)),
  };
}

/** CRC-32 (IEEE), as gzip's: enough for torn and flipped lines, and small. */
function crc32(bytes: Uint8Array): number {
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
