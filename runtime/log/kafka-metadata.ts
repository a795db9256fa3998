// The topic configs in a directory that Kafka wrote: they stand in its metadata log, `__cluster_metadata-0`, as a
// snapshot (`<end offset>-<epoch>.checkpoint`) and the batches after it (KRaft, KIP-500 and KIP-630). Read once, when
// the directory is adopted: with the defaults instead, records that were to be kept would be deleted.

import type { Core, DecodedRecord } from "../../storage-wasm/core.ts";
import { codecNames } from "../compression/codecs.ts";
import type { Codecs } from "../platform.ts";
import type { Storage } from "../storage/storage.ts";
import { logSuffix, offsetOf } from "./log-files.ts";

/** Topic name → its configs, as texts. */
export type KafkaTopicConfigs = ReadonlyMap<string, ReadonlyMap<string, string>>;

const metadataFolder = "__cluster_metadata-0";
const snapshotName = /^(\d{20})-\d{10}\.checkpoint$/;
/** A metadata file above this is not read. */
const fileBytesMax = 256 * 1024 * 1024;
const decompressedBytesMax = 64 * 1024 * 1024;

/** Kinds of metadata records, by Kafka's numbers. */
const kinds = { topic: 2, config: 4, removeTopic: 9 } as const;
const topicResource = 2;

const batchHeaderBytes = 61;
const attributesAt = 21;
const controlBit = 0x20;

/** Null if there is no metadata log here, or one that cannot be read to its end. */
export function readKafkaTopicConfigs(from: {
  storage: Storage;
  core: Core;
  codecs: Codecs;
}): KafkaTopicConfigs | null {
  const names = from.storage.list(metadataFolder).map(({ name }) => name);
  const snapshot = names
    .filter((name) => snapshotName.test(name))
    .sort()
    .at(-1);
  const logs = names.filter((name) => offsetOf(name, logSuffix) !== undefined).sort();
  if (snapshot === undefined && logs.length === 0) return null;
  const image = new TopicImage();
  const snapshotEnd = Number(snapshotName.exec(snapshot ?? "")?.[1] ?? 0);
  try {
    if (snapshot !== undefined) {
      for (const record of recordsOf(from, snapshot)) image.apply(record);
    }
    for (const log of logs) {
      for (const record of recordsOf(from, log)) {
        if (record.offset >= snapshotEnd) image.apply(record);
      }
    }
  } catch {
    // Whatever is wrong with Kafka's file: the caller keeps the records then.
    return null;
  }
  return image.configs();
}

/** Data records of all whole batches; what is torn at the end was never committed. */
function* recordsOf(
  { storage, core, codecs }: { storage: Storage; core: Core; codecs: Codecs },
  name: string,
): Generator<DecodedRecord> {
  const bytes = storage.readFile(`${metadataFolder}/${name}`) ?? new Uint8Array();
  if (bytes.length > fileBytesMax) throw new RangeError(`${name} has ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + batchHeaderBytes <= bytes.length; ) {
    const length = 12 + view.getInt32(at + 8);
    if (length < batchHeaderBytes || at + length > bytes.length) return;
    const isControl = (view.getInt16(at + attributesAt) & controlBit) !== 0;
    const batch = bytes.slice(at, at + length);
    if (!isControl) yield* core.decode(batch, (codec, packed) => unpack(codecs, codec, packed));
    at += length;
  }
}

function unpack(codecs: Codecs, codec: number, packed: Uint8Array): Uint8Array {
  const name = codecNames[codec];
  if (name == null) throw new RangeError(`codec ${codec}`);
  return codecs[name].decompress(packed, decompressedBytesMax);
}

/** What the records say, one after the other. */
class TopicImage {
  readonly #names = new Map<string, string>();
  readonly #configs = new Map<string, Map<string, string>>();

  apply({ value }: DecodedRecord): void {
    if (value === null) return;
    const fields = new Fields(value);
    fields.uvarint(); // The frame's version: one so far.
    const kind = fields.uvarint();
    fields.uvarint();
    if (kind === kinds.topic) this.#addTopic(fields.string() ?? "", fields.uuid());
    else if (kind === kinds.removeTopic) this.#removeTopic(fields.uuid());
    else if (kind === kinds.config && fields.int8() === topicResource) {
      this.#setConfig(fields.string() ?? "", fields.string() ?? "", fields.string());
    }
  }

  /** Of the topics there are now. */
  configs(): KafkaTopicConfigs {
    const empty = new Map<string, string>();
    return new Map(
      [...this.#names.values()].map((name) => [name, this.#configs.get(name) ?? empty]),
    );
  }

  #addTopic(name: string, id: string): void {
    this.#names.set(id, name);
  }

  #removeTopic(id: string): void {
    this.#configs.delete(this.#names.get(id) ?? "");
    this.#names.delete(id);
  }

  #setConfig(topic: string, name: string, value: string | null): void {
    const configs = this.#configs.get(topic) ?? new Map<string, string>();
    this.#configs.set(topic, configs);
    if (value === null) configs.delete(name);
    else configs.set(name, value);
  }
}

/** Fields of a flexible message, in order. Throws `RangeError` behind the end. */
class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#take(1)[0]!;
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.int8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number of more than five bytes");
  }

  /** Compact: one more than the length, 0 for null. */
  string(): string | null {
    const length = this.uvarint();
    return length === 0 ? null : new TextDecoder().decode(this.#take(length - 1));
  }

  /** As text that is only compared. */
  uuid(): string {
    return this.#take(16).join(" ");
  }

  #take(count: number): Uint8Array {
    if (this.#at + count > this.#bytes.length) throw new RangeError("a record ends too early");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}
