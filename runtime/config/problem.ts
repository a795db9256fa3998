// What is wrong with a configuration, said so that a person can mend it without a manual: the place, what was
// read, what is allowed, the nearest known key, and a line to paste.

import type { ConfigKey } from "./key.ts";
import { variableOf } from "./keys.ts";

export interface ConfigProblem {
  /** `timberline.toml:14`, `TIMBERLINE_NUM_PARTITIONS`, `--set`, `--flush`. */
  readonly place: string;
  readonly key: string;
  /** What was written; null for secrets and for what is missing. */
  readonly read: string | null;
  readonly message: string;
  readonly allowed: string | null;
  readonly nearest: string | null;
  readonly paste: string | null;
}

/** How a place writes a key and its value. */
export type Dialect = "toml" | "properties" | "environment" | "argument";

/** Several lines for a terminal. */
export function formatProblem(problem: ConfigProblem): string {
  const { place, key, read, message, allowed, nearest, paste } = problem;
  const lines = [`${place}: ${key}${read === null ? "" : ` = ${shown(read)}`}: ${message}`];
  if (allowed !== null) lines.push(`  allowed: ${allowed}`);
  if (nearest !== null) lines.push(`  nearest: ${nearest}`);
  if (paste !== null) lines.push(`  write:   ${paste}`);
  return lines.join("\n");
}

/** The line that sets a key at such a place. */
export function assignment(dialect: Dialect, name: string, value: string): string {
  if (dialect === "toml") return `${name} = ${tomlValue(value)}`;
  if (dialect === "environment") return `${variableOf(name)}=${value}`;
  return dialect === "properties" ? `${name}=${value}` : `--set ${name}=${value}`;
}

/** A value of the key that works: its default where it has one. */
export function exampleOf(key: ConfigKey): string {
  if (key.default !== null && key.default !== "") return key.default;
  if (key.name.endsWith("listeners")) return "PLAINTEXT://127.0.0.1:9092";
  if (key.name === "log.dirs") return "./timberline-data";
  if (key.name.endsWith("cors.origins")) return "https://app.example";
  if (key.type === "STRING" || key.type === "LIST" || key.type === "PASSWORD") return "text";
  return "1";
}

function tomlValue(value: string): string {
  return /^(true|false|-?\d+(\.\d+)?)$/.test(value) ? value : JSON.stringify(value);
}

const SHOWN_CHARS_MAX = 200;

function shown(text: string): string {
  const short = text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
  return JSON.stringify(short);
}
