// Names of the files in a partition's folder `<topic>-<partition>/`: Kafka's, to the letter, so that its own
// tools read ours and we open theirs. Pure.

/** Digits of a base offset in a file name. */
const offsetDigits = 20;

export const logSuffix = ".log";
export const offsetIndexSuffix = ".index";
export const timeIndexSuffix = ".timeindex";
export const transactionIndexSuffix = ".txnindex";
export const snapshotSuffix = ".snapshot";
/** Marks a file that is waiting to be removed. */
export const deletedSuffix = ".deleted";

/** Marks a segment that compaction is writing: of no worth until it is whole. */
export const cleanedSuffix = ".cleaned";
/** Marks a whole cleaned segment that is about to take the place of others. */
export const swapSuffix = ".swap";

export const leaderEpochFile = "leader-epoch-checkpoint";
export const partitionMetadataFile = "partition.metadata";

/** "00000000000000000042.log" for (42, ".log"). */
export function segmentFile(baseOffset: number, suffix: string): string {
  return String(baseOffset).padStart(offsetDigits, "0") + suffix;
}

/** The base offset in a segment's or snapshot's file name; undefined for any other name. */
export function offsetOf(name: string, suffix: string): number | undefined {
  if (!name.endsWith(suffix) || name.length !== offsetDigits + suffix.length) return undefined;
  const digits = name.slice(0, offsetDigits);
  return /^\d+$/.test(digits) ? Number(digits) : undefined;
}

/** "flights-3" for ("flights", 3). */
export function partitionFolder(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}

/** Topic and partition of a folder name; undefined for folders that are not a partition's. */
export function partitionOf(folder: string): { topic: string; partition: number } | undefined {
  const match = /^(.+)-(\d+)$/.exec(folder);
  if (!match) return undefined;
  return { topic: match[1]!, partition: Number(match[2]) };
}

/** "flights-3.1f0c…-delete": Kafka's name for a partition's folder that waits to be removed. */
export function deletedFolder(folder: string, unique: string): string {
  return `${folder}.${unique}-delete`;
}

export function isDeletedFolder(folder: string): boolean {
  return /\.[0-9a-f]+-delete$/.test(folder);
}

/** A partition's folder whose topic does not exist any more; kept for a person to look at. */
export function strayFolder(folder: string, unique: string): string {
  return `${folder}.${unique}-stray`;
}

export function isStrayFolder(folder: string): boolean {
  return /\.[0-9a-f]+-stray$/.test(folder);
}
