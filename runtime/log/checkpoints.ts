// Kafka's small text files: offset checkpoints of a log directory, `leader-epoch-checkpoint` and
// `partition.metadata` of a partition, and Java properties. Persisted formats, never to be changed. Pure.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The file says something these functions do not understand. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}

export interface OffsetCheckpoint {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** One offset of each of these partitions. */
export function offsetsOf<P extends { readonly topic: string; readonly partition: number }>(
  partitions: Iterable<P>,
  of: (partition: P) => number,
): OffsetCheckpoint[] {
  return Array.from(partitions, (each) => ({
    topic: each.topic,
    partition: each.partition,
    offset: of(each),
  }));
}

/** `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint`: "0", count, "topic partition offset". */
export function encodeOffsets(entries: readonly OffsetCheckpoint[]): Uint8Array {
  const lines = entries.map((entry) => `${entry.topic} ${entry.partition} ${entry.offset}`);
  return encodeLines(lines);
}

export function decodeOffsets(bytes: Uint8Array): OffsetCheckpoint[] {
  return decodeLines(bytes, 3).map(([topic, partition, offset]) => ({
    topic: topic!,
    partition: number(partition!),
    offset: number(offset!),
  }));
}

export interface EpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

/** `leader-epoch-checkpoint`: "0", count, then "epoch startOffset" lines. */
export function encodeEpochs(entries: readonly EpochStart[]): Uint8Array {
  return encodeLines(entries.map((entry) => `${entry.epoch} ${entry.startOffset}`));
}

export function decodeEpochs(bytes: Uint8Array): EpochStart[] {
  return decodeLines(bytes, 2).map(([epoch, startOffset]) => ({
    epoch: number(epoch!),
    startOffset: number(startOffset!),
  }));
}

/** `partition.metadata`: "version: 0", "topic_id: …". */
export function encodePartitionMetadata(topicId: string): Uint8Array {
  return encoder.encode(`version: 0\ntopic_id: ${topicId}\n`);
}

/** The topic id, or undefined if the file is not understood. */
export function decodePartitionMetadata(bytes: Uint8Array): string | undefined {
  return /^version: 0\ntopic_id: ([\w-]{22})\s*$/.exec(decoder.decode(bytes))?.[1];
}

/** Java properties, as far as Kafka's own files use them: "key=value" lines and comments. */
export function encodeProperties(values: ReadonlyMap<string, string>): Uint8Array {
  return encoder.encode([...values].map(([key, value]) => `${key}=${value}\n`).join(""));
}

export function decodeProperties(bytes: Uint8Array): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of decoder.decode(bytes).split(/\r?\n/)) {
    const equals = line.indexOf("=");
    if (equals <= 0 || line.startsWith("#")) continue;
    values.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim());
  }
  return values;
}

function encodeLines(lines: readonly string[]): Uint8Array {
  return encoder.encode(`${["0", String(lines.length), ...lines].join("\n")}\n`);
}

function decodeLines(bytes: Uint8Array, fields: number): string[][] {
  const [version, count, ...lines] = decoder.decode(bytes).trimEnd().split("\n");
  if (version !== "0") throw new CheckpointError(`unknown checkpoint version ${version}`);
  if (number(count ?? "") !== lines.length) {
    throw new CheckpointError(`${count} lines announced, ${lines.length} found`);
  }
  return lines.map((line) => {
    const parts = line.split(" ");
    if (parts.length !== fields) throw new CheckpointError(`malformed line: ${line}`);
    return parts;
  });
}

function number(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new CheckpointError(`not a number: ${text}`);
  return Number(text);
}
