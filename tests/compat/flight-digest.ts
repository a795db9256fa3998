// What came out of a log, as a count and a hash per key over the bytes in their order: two streams of any length
// are compared in bounded memory. `FlightAccount` stands before it where a killed producer sent some records twice.

import { createHash, type Hash } from "node:crypto";

export interface SeenRecord {
  readonly partition: number;
  readonly key: string;
  readonly timestampMs: number;
  readonly value: Uint8Array;
}

/** Where records go as they come out, in the order of each partition. */
export interface RecordSink {
  add(record: SeenRecord): void;
}

interface KeyDigest {
  readonly partition: number;
  readonly hash: Hash;
  readonly pending: Buffer;
  pendingBytes: number;
  count: number;
}

const pendingBytesMax = 1 << 14;

export class FlightDigest implements RecordSink {
  readonly #withTime: boolean;
  readonly #keys = new Map<string, KeyDigest>();
  #result: ReadonlyMap<string, string> | undefined;
  count = 0;

  constructor({ withTime }: { withTime: boolean }) {
    this.#withTime = withTime;
  }

  add({ partition, key, timestampMs, value }: SeenRecord): void {
    const digest = this.#keys.get(key) ?? this.#open(key, partition);
    if (digest.partition !== partition) {
      throw new Error(`${key} is on partition ${partition} and on ${digest.partition}`);
    }
    digest.count += 1;
    this.count += 1;
    if (digest.pendingBytes + value.length + 10 > pendingBytesMax) flush(digest);
    if (this.#withTime) {
      digest.pending.writeDoubleLE(timestampMs, digest.pendingBytes);
      digest.pendingBytes += 8;
    }
    digest.pending.set(value, digest.pendingBytes);
    digest.pendingBytes += value.length;
    // Else two values could be cut differently and look the same.
    digest.pending[digest.pendingBytes++] = 0x0a;
  }

  /** Key → partition, count and hash. Ends the digest. */
  result(): ReadonlyMap<string, string> {
    this.#result ??= new Map(
      [...this.#keys].map(([key, digest]) => {
        flush(digest);
        return [key, `${digest.partition} ${digest.count} ${digest.hash.digest("hex")}`];
      }),
    );
    return this.#result;
  }

  /** Throws with the keys that differ. */
  expectSame(other: FlightDigest, what: string): void {
    const wanted = this.result();
    const seen = other.result();
    const differing = [...new Set([...wanted.keys(), ...seen.keys()])].filter(
      (key) => wanted.get(key) !== seen.get(key),
    );
    if (differing.length === 0) return;
    const examples = differing
      .slice(0, 3)
      .map((key) => `${key}: ${seen.get(key) ?? "absent"}, not ${wanted.get(key) ?? "absent"}`);
    throw new Error(
      `${what}: ${other.count} records, ${differing.length} keys differ from the ${this.count} that ` +
        `went in (partition, count, hash): ${examples.join("; ")}`,
    );
  }

  #open(key: string, partition: number): KeyDigest {
    const pending = Buffer.alloc(pendingBytesMax);
    const digest = { partition, hash: createHash("sha256"), pending, pendingBytes: 0, count: 0 };
    this.#keys.set(key, digest);
    return digest;
  }
}

function flush(digest: KeyDigest): void {
  digest.hash.update(digest.pending.subarray(0, digest.pendingBytes));
  digest.pendingBytes = 0;
}

/** What a producer that was cut once knows of one partition. */
export interface CutPartition {
  /** Records of this partition in all. */
  readonly wanted: number;
  /** Acknowledged before the cut: where the producer went on after it. */
  readonly acknowledged: number;
  /** Records in the log now. */
  readonly stored: number;
}

/**
 * Takes out the records that stand twice because their acknowledgement was lost: after the cut the producer sent
 * again from the first it had no answer for. The log must hold exactly the stored part of the first attempt,
 * then the second attempt; all else throws, or shows in the digest behind it.
 */
export class FlightAccount implements RecordSink {
  readonly #sink: RecordSink;
  readonly #partitions: readonly CutPartition[];
  readonly #position: number[];
  readonly #unanswered: SeenRecord[][];
  duplicates = 0;

  constructor(sink: RecordSink, partitions: readonly CutPartition[]) {
    this.#sink = sink;
    this.#partitions = partitions;
    this.#position = partitions.map(() => 0);
    this.#unanswered = partitions.map(() => []);
    for (const [partition, cut] of partitions.entries()) {
      const firstAttempt = cut.stored - (cut.wanted - cut.acknowledged);
      if (firstAttempt >= cut.acknowledged) continue;
      throw new Error(
        `partition ${partition}: ${cut.acknowledged} records were acknowledged before the cut, but only ` +
          `${firstAttempt} of them are stored`,
      );
    }
  }

  add(record: SeenRecord): void {
    const { wanted, acknowledged, stored } = this.#partitions[record.partition]!;
    const firstAttempt = stored - (wanted - acknowledged);
    const position = this.#position[record.partition]!++;
    const unanswered = this.#unanswered[record.partition]!;
    if (position < firstAttempt) {
      if (position >= acknowledged) {
        unanswered.push({ ...record, value: Uint8Array.from(record.value) });
      }
      this.#sink.add(record);
      return;
    }
    const first = unanswered[position - firstAttempt];
    if (first === undefined) {
      this.#sink.add(record);
      return;
    }
    this.duplicates += 1;
    if (first.key === record.key && Buffer.compare(first.value, record.value) === 0) return;
    const place = `partition ${record.partition}, offset ${position}`;
    throw new Error(`${place}: not the record that was sent again`);
  }
}
