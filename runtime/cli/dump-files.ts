// Which files `dump` reads, and what each of them is, by Kafka's names. Folders are a data folder, a partition's
// folder, or any folder of such files.

import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import {
  isDeletedFolder,
  leaderEpochFile,
  logSuffix,
  offsetIndexSuffix,
  offsetOf,
  partitionMetadataFile,
  partitionOf,
  snapshotSuffix,
  timeIndexSuffix,
  transactionIndexSuffix,
} from "../log/log-files.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";

export type FileKind =
  | "log"
  | "index"
  | "timeindex"
  | "txnindex"
  | "snapshot"
  | "epochs"
  | "offsets"
  | "metadata"
  | "properties";

export interface DumpFile {
  readonly path: string;
  readonly kind: FileKind;
  /** From the file's name; 0 for files without one. */
  readonly baseOffset: number;
}

const BY_NAME: Readonly<Record<string, FileKind>> = {
  [leaderEpochFile]: "epochs",
  [partitionMetadataFile]: "metadata",
  "meta.properties": "properties",
  "recovery-point-offset-checkpoint": "offsets",
  "log-start-offset-checkpoint": "offsets",
  "replication-offset-checkpoint": "offsets",
  "cleaner-offset-checkpoint": "offsets",
};

const BY_SUFFIX: readonly (readonly [string, FileKind])[] = [
  [logSuffix, "log"],
  [offsetIndexSuffix, "index"],
  [timeIndexSuffix, "timeindex"],
  [transactionIndexSuffix, "txnindex"],
  [snapshotSuffix, "snapshot"],
];

/** Data folder, partition folder, files. */
const DEPTH_MAX = 2;

/** Files in the order they are shown: by folder, then by name. Throws if a path leads to nothing to dump. */
export function findDumpFiles(paths: readonly string[]): DumpFile[] {
  return paths.flatMap((path) => {
    const found = isFolder(path) ? filesBelow(path, 1) : [fileAt(path)];
    if (found.length > 0) return found;
    throw usageError(
      `${path}: nothing to dump in this folder`,
      "give a data folder, a partition's folder, or files",
    );
  });
}

export function kindOf(path: string): { kind: FileKind; baseOffset: number } | undefined {
  const name = basename(path);
  const kind = BY_NAME[name];
  if (kind) return { kind, baseOffset: 0 };
  for (const [suffix, suffixKind] of BY_SUFFIX) {
    const baseOffset = offsetOf(name, suffix);
    if (baseOffset !== undefined) return { kind: suffixKind, baseOffset };
  }
  return undefined;
}

function fileAt(path: string): DumpFile {
  const kind = kindOf(path);
  if (kind) return { path, ...kind };
  throw usageError(
    `${path}: not a file of a log by its name`,
    "known: 00000000000000000000.log .index .timeindex .txnindex .snapshot, checkpoints, partition.metadata, meta.properties",
  );
}

function filesBelow(folder: string, depth: number): DumpFile[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
    compareNames(a.name, b.name),
  );
  const files = entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    const kind = entry.isFile() ? kindOf(path) : undefined;
    return kind ? [{ path, ...kind }] : [];
  });
  if (depth >= DEPTH_MAX) return files;
  const folders = entries.filter(
    (entry) => entry.isDirectory() && partitionOf(entry.name) && !isDeletedFolder(entry.name),
  );
  return [...files, ...folders.flatMap(({ name }) => filesBelow(join(folder, name), depth + 1))];
}

/** Partition 10 after partition 9. */
function compareNames(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw new CliError(`${path}: no such file or folder`, { exitCode: ExitCode.usage, cause });
  }
}
