// Who a log directory belongs to and whether it was left in order: Kafka's `meta.properties` (with our format
// version added), its clean-shutdown marker and its two offset checkpoints. Used by `log-folder.ts` only.

import { BrokerError } from "../errors.ts";
import type { Storage } from "../storage/storage.ts";
import {
  CheckpointError,
  decodeOffsets,
  decodeProperties,
  encodeOffsets,
  encodeProperties,
  type OffsetCheckpoint,
} from "./checkpoints.ts";

/** Raised when files are written that an older Timberline would misread. Persisted: never lower. */
export const folderFormat = 1;

const propertiesFile = "meta.properties";
const cleanShutdownFile = ".kafka_cleanshutdown";
const recoveryPointsFile = "recovery-point-offset-checkpoint";
const startOffsetsFile = "log-start-offset-checkpoint";
const highWatermarksFile = "replication-offset-checkpoint";
const cleanedOffsetsFile = "cleaner-offset-checkpoint";
/** Ours; Kafka does not look at it. */
const cleaningOffsetsFile = "timberline-cleaning-checkpoint";

const formatKey = "timberline.format";

export interface FolderIdentity {
  readonly clusterId: string | undefined;
  readonly brokerId: number | undefined;
  /** No Timberline has written here before: what lies here, if anything, is Kafka's. */
  readonly isForeign: boolean;
}

/** Reads and checks the identity. Throws `BrokerError` with one sentence when the folder is not for us. */
export function readIdentity(storage: Storage): FolderIdentity {
  const bytes = storage.readFile(propertiesFile);
  if (bytes === undefined) return { clusterId: undefined, brokerId: undefined, isForeign: true };
  const properties = decodeProperties(bytes);
  const format = Number(properties.get(formatKey) ?? "0");
  if (!(format <= folderFormat)) {
    throw new BrokerError(
      "KAFKA_STORAGE_ERROR",
      `the data folder ${storage.root} has format ${properties.get(formatKey)}, this version reads up to ` +
        `${folderFormat}: start it with the newer Timberline that wrote it`,
    );
  }
  const brokerId = properties.get("node.id") ?? properties.get("broker.id");
  return {
    clusterId: properties.get("cluster.id"),
    brokerId: brokerId === undefined ? undefined : Number(brokerId),
    isForeign: format === 0,
  };
}

/**
 * Writes who we are, keeping what else the file says; nothing when it says so already. Returns the folder's own id: it
 * is as old as what lies in it.
 */
export function writeIdentity(
  storage: Storage,
  identity: { clusterId: string; brokerId: number; newDirectoryId: () => string },
): string {
  const properties = decodeProperties(storage.readFile(propertiesFile) ?? new Uint8Array());
  const before = text(encodeProperties(properties));
  properties.set("version", "1");
  properties.set("cluster.id", identity.clusterId);
  properties.set("node.id", String(identity.brokerId));
  if (!properties.has("directory.id")) properties.set("directory.id", identity.newDirectoryId());
  properties.set(formatKey, String(folderFormat));
  const after = encodeProperties(properties);
  if (text(after) !== before) storage.writeFile(propertiesFile, after);
  return properties.get("directory.id")!;
}

/**
 * The broker epoch of the last stop if it was clean, -1 if the marker does not say, else undefined. The marker is
 * taken away: from now on a stop is unclean until proved.
 */
export function takeCleanShutdown(storage: Storage): number | undefined {
  const bytes = storage.readFile(cleanShutdownFile);
  if (bytes === undefined) return undefined;
  storage.remove(cleanShutdownFile);
  return Number(/"brokerEpoch"\s*:\s*(\d+)/.exec(text(bytes))?.[1] ?? -1);
}

export function markCleanShutdown(storage: Storage, brokerEpoch: number): void {
  const text = JSON.stringify({ version: 0, brokerEpoch });
  storage.writeFile(cleanShutdownFile, new TextEncoder().encode(text));
}

export interface FolderCheckpoints {
  readonly recoveryPoints: ReadonlyMap<string, number>;
  readonly startOffsets: ReadonlyMap<string, number>;
  /** Of partitions with several replicas. */
  readonly highWatermarks: ReadonlyMap<string, number>;
  /** Between segments that begin up to here compaction may have left holes. */
  readonly holeEnds: ReadonlyMap<string, number>;
}

/** By folder name. A checkpoint that cannot be read counts as absent: then everything is checked. */
export function readCheckpoints(storage: Storage): FolderCheckpoints {
  return {
    recoveryPoints: readOffsets(storage, recoveryPointsFile),
    startOffsets: readOffsets(storage, startOffsetsFile),
    highWatermarks: readOffsets(storage, highWatermarksFile),
    holeEnds: highest(readCleanedOffsets(storage), readCleaningOffsets(storage)),
  };
}

export function writeRecoveryPoints(storage: Storage, entries: readonly OffsetCheckpoint[]): void {
  storage.writeFile(recoveryPointsFile, encodeOffsets(entries));
}

export function writeStartOffsets(storage: Storage, entries: readonly OffsetCheckpoint[]): void {
  storage.writeFile(startOffsetsFile, encodeOffsets(entries));
}

export function writeHighWatermarks(storage: Storage, entries: readonly OffsetCheckpoint[]): void {
  storage.writeFile(highWatermarksFile, encodeOffsets(entries));
}

/** Up to where compaction has come, by folder name. */
export function readCleanedOffsets(storage: Storage): ReadonlyMap<string, number> {
  return readOffsets(storage, cleanedOffsetsFile);
}

export function writeCleanedOffsets(storage: Storage, entries: readonly OffsetCheckpoint[]): void {
  storage.writeFile(cleanedOffsetsFile, encodeOffsets(entries));
}

/** Up to where compaction has come or is about to come, by folder name. */
export function readCleaningOffsets(storage: Storage): ReadonlyMap<string, number> {
  return readOffsets(storage, cleaningOffsetsFile);
}

export function writeCleaningOffsets(storage: Storage, entries: readonly OffsetCheckpoint[]): void {
  storage.writeFile(cleaningOffsetsFile, encodeOffsets(entries));
}

function readOffsets(storage: Storage, file: string): ReadonlyMap<string, number> {
  const bytes = storage.readFile(file);
  if (bytes === undefined) return new Map();
  try {
    return new Map(
      decodeOffsets(bytes).map(({ topic, partition, offset }) => [`${topic}-${partition}`, offset]),
    );
  } catch (error) {
    if (error instanceof CheckpointError) return new Map();
    throw error;
  }
}

function highest(
  a: ReadonlyMap<string, number>,
  b: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const all = new Map(a);
  for (const [folder, offset] of b) all.set(folder, Math.max(offset, all.get(folder) ?? 0));
  return all;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
