// Isolation levels of Fetch and ListOffsets: 0 sees everything, 1 only what is committed.

import type { FetchRequest } from "../broker.ts";

export type Isolation = FetchRequest["isolation"];

/** A level that Kafka does not define is read as the stricter one. */
export function isolationOf(level: number): Isolation {
  return level === 0 ? "read_uncommitted" : "read_committed";
}
