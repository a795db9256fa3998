// Kafka's rules for topic names. Pure.

import { BrokerError } from "./errors.ts";

/** A partition's folder is named after the topic, and file systems stop at 255. */
const nameLengthMax = 249;

/** Throws INVALID_TOPIC_EXCEPTION, saying what is allowed, or INVALID_REQUEST for a reserved name. */
export function checkTopicName(name: string): void {
  if (reservedTopics.has(name)) {
    throw new BrokerError(
      "INVALID_REQUEST",
      `topic name '${name}' is reserved for Kafka's metadata`,
    );
  }
  const complaint = complaintAbout(name);
  if (complaint === undefined) return;
  const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name;
  throw new BrokerError("INVALID_TOPIC_EXCEPTION", `topic name '${shown}' ${complaint}`);
}

/** Whether a topic of any cluster may be called so. */
export function isTopicName(name: string): boolean {
  return complaintAbout(name) === undefined;
}

/**
 * Metrics of older tools write "." as "_": two names that differ only there are refused together, as Kafka
 * does. Returns the existing name that is in the way.
 */
export function collidingName(name: string, existing: Iterable<string>): string | undefined {
  if (!/[._]/.test(name)) return undefined;
  const folded = name.replaceAll(".", "_");
  for (const other of existing) {
    if (other !== name && other.replaceAll(".", "_") === folded) return other;
  }
  return undefined;
}

/** Topics of Kafka's own that never hold a user's records; folders of them are not ours to open. */
export const reservedTopics: ReadonlySet<string> = new Set(["__cluster_metadata"]);

/** Where consumer groups and transactions keep their state: written by their coordinators only. */
export const offsetsTopic = "__consumer_offsets";
export const transactionsTopic = "__transaction_state";

/** Kafka's own: clients hide them from their users. */
export const internalTopics: ReadonlySet<string> = new Set([offsetsTopic, transactionsTopic]);

function complaintAbout(name: string): string | undefined {
  if (name === "") return "is empty";
  if (name === "." || name === "..") return "is reserved by file systems";
  if (name.length > nameLengthMax) {
    return `has ${name.length} characters, at most ${nameLengthMax} are allowed`;
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return "has other characters than ASCII letters, digits, '.', '_' and '-'";
  }
  return undefined;
}
