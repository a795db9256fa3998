// What a Durable Object's storage offers, as far as it is used here, its limits, and how its refusals become
// `StorageError`. Only the files of durable-object storage and the workerd platform import it.

import { StorageError } from "./storage.ts";

/** A value of a row; the platform gives blobs as ArrayBuffer. */
export type SqlValue = ArrayBuffer | string | number | null;

export interface SqlRows<Row> extends Iterable<Row> {
  toArray(): Row[];
}

/** `ctx.storage` of an object whose class has SQLite storage. */
export interface ObjectStorage {
  readonly sql: {
    exec<Row extends Record<string, SqlValue>>(
      query: string,
      ...bindings: (SqlValue | Uint8Array)[]
    ): SqlRows<Row>;
    /** Bytes of the database, free pages included. */
    readonly databaseSize: number;
  };
  /** All of it or, when it throws, nothing. */
  transactionSync<T>(run: () => T): T;
  /** Resolves when everything written before is on disk. */
  sync(): Promise<void>;
  getAlarm(): Promise<number | null>;
  setAlarm(atMs: number): Promise<void>;
}

/** The vendor's limit for the database of one object. */
const objectBytesMax = 10_000_000_000;
/** Files get so much of it: tables and removed rows need some, and a platform that refuses cannot be undone. */
export const filesBytesMax = objectBytesMax - 100_000_000;

/** Runs `action`; what the database refuses is thrown as `StorageError`. */
export function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof StorageError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    const fault = message.includes("SQLITE_FULL") ? "full" : "failed";
    throw new StorageError(fault, `cannot ${what}: ${message}`, { cause });
  }
}
