// What happens to a record that cannot be processed: the policies, and what a dead letter says about it. Pure.

import type { ConsumedHeader } from "../client/api.ts";
import { messageOf, StreamsError } from "./error.ts";

/** Reading its bytes and time, the topology's functions, or writing what came of it. */
export type Stage = "decode" | "process" | "encode";

/** "fail": the application stops before it. "skip": it is counted, and its effects are taken back. */
export type ErrorPolicy = "fail" | "skip" | { readonly deadLetter: string };

export type ErrorPolicies = ErrorPolicy | Readonly<Partial<Record<Stage, ErrorPolicy>>>;

/** As "skip", and the record goes to `topic` as it was, with headers that say why. */
export function deadLetter(topic: string): ErrorPolicy {
  return { deadLetter: topic };
}

/** A record as a task gets it. */
export interface Incoming {
  readonly topic: string;
  readonly partition: number;
  /** -1: no record, but the result of a window. */
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly ConsumedHeader[];
}

/** A record as a task gives it. */
export interface Outgoing {
  readonly topic: string;
  /** By key if absent. */
  readonly partition?: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly ConsumedHeader[];
}

export interface Failure {
  readonly origin: Incoming;
  readonly stage: Stage;
  readonly operator: string;
  readonly thrown: unknown;
}

/** Long messages would make a dead letter larger than its topic takes. */
const messageCharsMax = 1_000;

export function policyOf(policies: ErrorPolicies, stage: Stage): ErrorPolicy {
  if (typeof policies === "string" || "deadLetter" in policies) return policies;
  return policies[stage] ?? "fail";
}

/** The topics dead letters go to. */
export function deadLetterTopics(policies: ErrorPolicies): string[] {
  const stages: readonly Stage[] = ["decode", "process", "encode"];
  const found = stages.map((stage) => policyOf(policies, stage));
  return [...new Set(found.flatMap((each) => (typeof each === "string" ? [] : each.deadLetter)))];
}

/** The sentence an application stops with. */
export function failedError({ origin, stage, operator, thrown }: Failure): StreamsError {
  const where = `${origin.topic}-${origin.partition} at offset ${origin.offset}`;
  const what = `${stage} of ${where} failed in "${operator}": ${messageOf(thrown)}`;
  const how = "Correct the topology, or set onError to skip such records or to dead-letter them.";
  return new StreamsError("RECORD_FAILED", `${what}. ${how}`, { cause: thrown });
}

export function letterOf(failure: Failure, topic: string, application: string): Outgoing {
  const { origin, stage, operator, thrown } = failure;
  const facts = {
    "timberline.application": application,
    "timberline.topic": origin.topic,
    "timberline.partition": String(origin.partition),
    "timberline.offset": String(origin.offset),
    "timberline.stage": stage,
    "timberline.operator": operator,
    "timberline.message": messageOf(thrown).slice(0, messageCharsMax),
  };
  return copyOf(origin, topic, facts);
}

/** The record as it was, with more headers. */
export function copyOf(
  { key, value, headers, timestampMs }: Incoming,
  topic: string,
  facts: Readonly<Record<string, string>>,
): Outgoing {
  const encoder = new TextEncoder();
  const more = Object.entries(facts).map(([name, text]) => ({
    key: name,
    value: encoder.encode(text),
  }));
  return { topic, key, value, timestampMs, headers: [...headers, ...more] };
}
