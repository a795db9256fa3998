// What the file system refuses, as `StorageError`s with advice for a person. Used by `file.ts`.

import { StorageError, type StorageFault } from "./storage.ts";

/** Runs `run`; what the system refuses becomes a `StorageError` that says `what` could not be done. */
export function attempt<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw failure(what, cause);
  }
}

export function errno(cause: unknown): string {
  return (cause as { code?: string } | null)?.code ?? "";
}

const faults: Record<string, [StorageFault, string]> = {
  ENOSPC: ["full", "the disk is full: free space or move the data folder"],
  EDQUOT: ["full", "the disk quota is used up: raise it or move the data folder"],
  EROFS: [
    "read-only",
    "the file system is read-only: mount it writable or choose another --data-dir",
  ],
  EACCES: ["read-only", "permission denied: make the folder writable for this user"],
  EPERM: ["read-only", "not permitted: make the folder writable for this user"],
  ENOENT: ["missing", "it does not exist"],
  EMFILE: ["failed", "too many open files: raise the limit (ulimit -n)"],
};

export function failure(what: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  const [fault, advice] = faults[errno(cause)] ?? ["failed", (cause as Error).message];
  return new StorageError(fault, `cannot ${what}: ${advice}`, { cause });
}
