// What a producer's batch must be before it enters a log, and the one rewriting that a topic may demand
// (`compression.type`). Pure apart from the core; called by `partition.ts` only.

import {
  type Address,
  BatchFault,
  type BatchHeader,
  type CheckRules,
  type Core,
} from "../../storage-wasm/core.ts";
import { codecNames, decompressor } from "../compression/codecs.ts";
import type { TopicConfig } from "../config.ts";
import { BrokerError, type ErrorName } from "../errors.ts";
import type { Codecs } from "../platform.ts";

/** Bytes before the records. */
const batchHeaderBytes = 61;

const rulesPlain: CheckRules = { verifyCrc: true, walkRecords: true, requireKeys: false };
const rulesKeyed: CheckRules = { verifyCrc: true, walkRecords: true, requireKeys: true };

const rulesKnown: CheckRules = { verifyCrc: false, walkRecords: false, requireKeys: false };

export interface Checker {
  readonly core: Core;
  readonly codecs: Codecs;
}

/**
 * Throws what Kafka answers for a batch that it would refuse. Returns where the batch lies in the core's memory,
 * its facts in `core.header`.
 */
export function checkBatch(
  checker: Checker,
  batch: Uint8Array,
  config: TopicConfig,
  decompressedBytesMax: number,
): Address {
  const { core } = checker;
  const at = core.place(batch);
  checkHeader(core, at, batch.length, config);
  if (!config.cleanupPolicy.compact || core.header.codec === 0) return at;
  checkCompressedKeys(checker, batch, decompressedBytesMax);
  return placeKnown(core, batch);
}

/** Places a batch that is known to be good and loads its header. */
export function placeKnown(core: Core, batch: Uint8Array): Address {
  const at = core.place(batch);
  core.check(at, batch.length, rulesKnown);
  return at;
}

/** The core walks uncompressed batches by itself; these have to be opened first. */
function checkCompressedKeys(
  { core, codecs }: Checker,
  batch: Uint8Array,
  decompressedBytesMax: number,
): void {
  const { codec, count } = core.header;
  const compressed = batch.subarray(batchHeaderBytes);
  const records = decompressor(codecs, decompressedBytesMax)(codec, compressed);
  const fault = core.checkRecords(core.place(records), records.length, {
    count,
    requireKeys: true,
  });
  if (fault !== BatchFault.none) throw faultError(fault, core.header);
}

function checkHeader(core: Core, at: Address, length: number, config: TopicConfig): void {
  const rules = config.cleanupPolicy.compact ? rulesKeyed : rulesPlain;
  const fault = core.check(at, length, rules);
  if (fault !== BatchFault.none) throw faultError(fault, core.header);
  const { header } = core;
  if (header.bytes !== length) {
    throw new BrokerError(
      "INVALID_RECORD",
      "a produce request carries exactly one batch per partition",
    );
  }
  if (header.bytes > config.maxMessageBytes) {
    throw new BrokerError(
      "MESSAGE_TOO_LARGE",
      `the batch has ${header.bytes} bytes, max.message.bytes is ${config.maxMessageBytes}: ` +
        "send smaller batches or raise it for the topic",
    );
  }
  if (header.isControl) {
    throw new BrokerError("INVALID_RECORD", "clients must not write control batches");
  }
}

/** Throws INVALID_TIMESTAMP when a producer's time is outside what the topic takes. */
export function checkTimestamps(header: BatchHeader, config: TopicConfig, nowMs: number): void {
  if (config.messageTimestampType === "LogAppendTime") return;
  const { messageTimestampAfterMaxMs: afterMax, messageTimestampBeforeMaxMs: beforeMax } = config;
  if (header.maxTimestamp - nowMs > afterMax) {
    throw new BrokerError(
      "INVALID_TIMESTAMP",
      `timestamp ${header.maxTimestamp} is more than message.timestamp.after.max.ms=${afterMax} ahead of the broker`,
    );
  }
  if (header.maxTimestamp >= 0 && nowMs - header.maxTimestamp > beforeMax) {
    throw new BrokerError(
      "INVALID_TIMESTAMP",
      `timestamp ${header.maxTimestamp} is more than message.timestamp.before.max.ms=${beforeMax} old`,
    );
  }
}

/** The codec a topic stores this batch with, or undefined when the batch may stay as it is. */
export function codecDemanded(header: BatchHeader, config: TopicConfig): number | undefined {
  const { compressionType } = config;
  if (compressionType === "producer") return undefined;
  const wanted = compressionType === "uncompressed" ? 0 : codecNames.indexOf(compressionType);
  return wanted === header.codec ? undefined : wanted;
}

/** The same records in a new batch of another codec, with the producer's fields kept. */
export function recompress(
  core: Core,
  codecs: Codecs,
  batch: Uint8Array,
  options: {
    codec: number;
    levels: TopicConfig["compressionLevels"];
    decompressedBytesMax: number;
  },
): Uint8Array {
  const { producerId, producerEpoch, baseSequence, isTransactional } = core.header;
  const own = batch.slice();
  const records = core.decode(own, decompressor(codecs, options.decompressedBytesMax));
  const { codec, levels } = options;
  const name = codecNames[codec] ?? null;
  const level = name === null || name === "snappy" ? undefined : levels[name];
  return core.encode(records, {
    compression:
      name === null
        ? null
        : { id: codec, compress: (bytes) => codecs[name].compress(bytes, level) },
    producerId,
    producerEpoch,
    baseSequence,
    isTransactional,
  });
}

/** Kafka's error and a sentence for each fault the core can find. */
const faultErrors: Record<Exclude<BatchFault, 0>, [ErrorName, string]> = {
  [BatchFault.incomplete]: ["CORRUPT_MESSAGE", "the batch is shorter than its length field says"],
  [BatchFault.length]: [
    "CORRUPT_MESSAGE",
    "the batch's length field is smaller than a batch header",
  ],
  [BatchFault.magic]: [
    "UNSUPPORTED_FOR_MESSAGE_FORMAT",
    "only record batches of magic 2 are taken: use a client of Kafka 0.11 or newer",
  ],
  [BatchFault.crc]: ["CORRUPT_MESSAGE", "the batch's CRC-32C does not match its bytes"],
  [BatchFault.attributes]: ["INVALID_RECORD", "the batch's attributes use unknown bits or codecs"],
  [BatchFault.count]: [
    "INVALID_RECORD",
    "the batch's record count and offsets contradict each other",
  ],
  [BatchFault.record]: ["INVALID_RECORD", "a record's lengths do not add up"],
  [BatchFault.key]: ["INVALID_RECORD", "a compacted topic takes no record without a key"],
  [BatchFault.offsets]: ["INVALID_RECORD", "the batch's offsets do not grow"],
  [BatchFault.producer]: [
    "INVALID_RECORD",
    "producer id, epoch and sequence contradict each other",
  ],
};

function faultError(fault: Exclude<BatchFault, 0>, header: BatchHeader): BrokerError {
  const [code, message] = faultErrors[fault] ?? ["CORRUPT_MESSAGE", `batch fault ${fault}`];
  // The codec is the one attribute that newer clients may know and we do not.
  if (fault === BatchFault.attributes && header.codec > 4) {
    return new BrokerError(
      "UNSUPPORTED_COMPRESSION_TYPE",
      `unknown compression codec ${header.codec}`,
    );
  }
  return new BrokerError(code, message);
}
