// Records of __transaction_state in Kafka's formats. Key: i16 version=0, string. Value v0: i16 version, i64
// producerId, i16 epoch, i32 timeoutMs, i8 state, nullable array of {string topic, array of i32}, i64 updated, i64
// started. v1 is the same with compact lengths and tagged fields: 0 previous and 1 next producer id, 2 the
// client's protocol version (KIP-890). Persisted: never renumber. Pure.

import { BrokerError } from "../errors.ts";
import { transactionPhases } from "../transaction-coordinator.ts";
import type { Transaction } from "./transaction.ts";

const tags = { previousProducerId: 0, nextProducerId: 1, clientVersion: 2 } as const;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const valueVersion = 1;

export function encodeKey(transactionalId: string): Uint8Array {
  const id = encoder.encode(transactionalId);
  const bytes = new Uint8Array(4 + id.length);
  new DataView(bytes.buffer).setInt16(2, id.length);
  bytes.set(id, 4);
  return bytes;
}

/** The transactional id; undefined for keys of another version. */
export function decodeKey(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 4 || view.getInt16(0) !== 0) return undefined;
  return decoder.decode(bytes.subarray(4, 4 + view.getInt16(2)));
}

export function encodeValue(state: Transaction): Uint8Array {
  const out = new Output();
  out.int16(valueVersion);
  out.int64(state.producerId);
  out.int16(state.producerEpoch);
  out.int32(state.timeoutMs);
  out.int8(transactionPhases.indexOf(state.phase));
  encodePartitions(out, state);
  out.int64(state.updatedMs);
  out.int64(state.startMs);
  const tagged: [tag: number, bytes: number, value: number][] = [];
  const { previousProducerId, nextProducerId, clientVersion } = state;
  if (previousProducerId >= 0) tagged.push([tags.previousProducerId, 8, previousProducerId]);
  if (nextProducerId >= 0) tagged.push([tags.nextProducerId, 8, nextProducerId]);
  if (clientVersion > 0) tagged.push([tags.clientVersion, 2, clientVersion]);
  out.uvarint(tagged.length);
  for (const [tag, bytes, value] of tagged) {
    out.uvarint(tag);
    out.uvarint(bytes);
    if (bytes === 8) out.int64(value);
    else out.int16(value);
  }
  return out.finish();
}

/** Throws INVALID_RECORD-like faults as `BrokerError`, so that a foreign record can be named and passed over. */
export function decodeValue(transactionalId: string, bytes: Uint8Array): Transaction {
  const input = new Input(bytes);
  const version = input.int16();
  if (version !== 0 && version !== 1) {
    throw new BrokerError("INVALID_RECORD", `transaction record of unknown version ${version}`);
  }
  input.isCompact = version === 1;
  const producerId = input.int64();
  const producerEpoch = input.int16();
  const timeoutMs = input.int32();
  const phase = transactionPhases[input.int8()] ?? "Dead";
  const partitions = decodePartitions(input);
  const updatedMs = input.int64();
  const startMs = input.int64();
  const found = { previousProducerId: -1, nextProducerId: -1, clientVersion: 0 };
  for (let left = input.isCompact ? input.uvarint() : 0; left > 0; left--) {
    const tag = input.uvarint();
    const length = input.uvarint();
    const end = input.at + length;
    if (tag === tags.previousProducerId) found.previousProducerId = input.int64();
    else if (tag === tags.nextProducerId) found.nextProducerId = input.int64();
    else if (tag === tags.clientVersion) found.clientVersion = input.int16();
    input.at = end;
  }
  return {
    transactionalId,
    producerId,
    producerEpoch,
    lastProducerEpoch: -1,
    timeoutMs,
    phase,
    partitions,
    updatedMs,
    startMs,
    ...found,
    clientVersion: found.clientVersion === 2 ? 2 : 0,
  };
}

function encodePartitions(out: Output, state: Transaction): void {
  // Kafka writes null in this state, and reads it in no other.
  if (state.phase === "Empty") {
    out.uvarint(0);
    return;
  }
  out.uvarint(state.partitions.size + 1);
  for (const [topic, partitions] of state.partitions) {
    const name = encoder.encode(topic);
    out.uvarint(name.length + 1);
    out.raw(name);
    out.uvarint(partitions.size + 1);
    for (const partition of partitions) out.int32(partition);
    out.uvarint(0);
  }
}

function decodePartitions(input: Input): Transaction["partitions"] {
  const partitions = new Map<string, ReadonlySet<number>>();
  for (let left = input.arrayLength(); left > 0; left--) {
    const topic = input.string();
    const members = new Set<number>();
    for (let count = input.arrayLength(); count > 0; count--) members.add(input.int32());
    if (input.isCompact) input.skipTags();
    partitions.set(topic, members);
  }
  return partitions;
}

class Output {
  #view = new DataView(new ArrayBuffer(128));
  #at = 0;

  finish(): Uint8Array {
    return new Uint8Array(this.#view.buffer, 0, this.#at).slice();
  }

  int8(value: number): void {
    const at = this.#room(1);
    this.#view.setInt8(at, value);
  }

  int16(value: number): void {
    const at = this.#room(2);
    this.#view.setInt16(at, value);
  }

  int32(value: number): void {
    const at = this.#room(4);
    this.#view.setInt32(at, value);
  }

  int64(value: number): void {
    const at = this.#room(8);
    this.#view.setBigInt64(at, BigInt(value));
  }

  uvarint(value: number): void {
    for (; value >= 0x80; value >>>= 7) this.int8(value | 0x80);
    this.int8(value);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    new Uint8Array(this.#view.buffer).set(bytes, at);
  }

  #room(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    if (this.#at > this.#view.byteLength) {
      const larger = new Uint8Array(Math.max(this.#at, 2 * this.#view.byteLength));
      larger.set(new Uint8Array(this.#view.buffer));
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

class Input {
  isCompact = false;
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  int8(): number {
    return this.#view.getInt8(this.#take(1));
  }

  int16(): number {
    return this.#view.getInt16(this.#take(2));
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4));
  }

  int64(): number {
    return Number(this.#view.getBigInt64(this.#take(8)));
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#view.getUint8(this.#take(1));
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  }

  /** 0 for null. */
  arrayLength(): number {
    const length = this.isCompact ? this.uvarint() - 1 : this.int32();
    if (length > this.#bytes.length) throw tooShort();
    return Math.max(0, length);
  }

  string(): string {
    const length = this.isCompact ? this.uvarint() - 1 : this.int16();
    const at = this.#take(Math.max(0, length));
    return decoder.decode(this.#bytes.subarray(at, this.at));
  }

  skipTags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint();
      const length = this.uvarint();
      this.#take(length);
    }
  }

  #take(bytes: number): number {
    const { at } = this;
    if (at + bytes > this.#bytes.length) throw tooShort();
    this.at += bytes;
    return at;
  }
}

function tooShort(): BrokerError {
  return new BrokerError("INVALID_RECORD", "transaction record is shorter than it says");
}
