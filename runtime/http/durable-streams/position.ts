// Positions of a stream as the protocol's opaque offsets. A position counts records from the stream's beginning; a fork
// counts on from where it left its source. The first part is kept for a later use and always zero. Persisted by clients.

import { invalid } from "../error.ts";

const digits = 16;
const zeros = `${"0".repeat(digits)}_`;
const offsetPattern = /^0{16}_(\d{16})$/;

export function offsetText(position: number): string {
  return zeros + String(position).padStart(digits, "0");
}

/** Where a read begins: a position, before everything, or behind everything. */
export type ReadFrom = number | "start" | "now";

export function parseReadFrom(text: string): ReadFrom {
  if (text === "-1") return "start";
  if (text === "now") return "now";
  return parseOffset(text, "query: offset");
}

/** Throws INVALID_REQUEST unless this server could have said it. */
export function parseOffset(text: string, where: string): number {
  const position = Number(offsetPattern.exec(text)?.[1] ?? Number.NaN);
  if (Number.isSafeInteger(position)) return position;
  throw invalid(`${where}: not an offset that this server gave`);
}
