// A record of a topic becomes an entry of a task: keys and values decoded, event time taken and checked. Pure; what
// cannot be read is thrown, for the error policy.

import { type Codec, encodeKey } from "./codec.ts";
import type { Incoming } from "./failure.ts";
import type { Entry } from "./graph.ts";
import type { Input } from "./plan.ts";

/** A time so far ahead of the clock is an error: one such record would close every window. */
const futureMsMax = 3_600_000;

export function entryOf(node: Input["nodes"][number], record: Incoming, nowMs: number): Entry {
  const { headers, timestampMs } = record;
  const [keys, values] = codecsOf(node);
  if (record.key === null) encodeKey(keys, null);
  const key = record.key === null ? null : keys.decode(record.key);
  if (node.kind === "table") {
    const value = record.value === null ? null : values.decode(record.value);
    return { key, value, timestampMs, headers };
  }
  if (record.value === null) {
    throw new Error("the record has no value, which only a table takes, as a deletion");
  }
  const value = values.decode(record.value);
  const ownMs = node.kind === "source" ? node.topic.time?.(value, timestampMs) : undefined;
  return { key, value, timestampMs: checkedTime(ownMs ?? timestampMs, nowMs), headers };
}

function checkedTime(timeMs: number, nowMs: number): number {
  if (!Number.isSafeInteger(timeMs) || timeMs < 0) {
    throw new RangeError(`its event time, ${timeMs}, is no time in ms since 1970`);
  }
  if (timeMs > nowMs + futureMsMax) {
    throw new RangeError(`its event time, ${timeMs}, lies more than an hour ahead`);
  }
  return timeMs;
}

function codecsOf(node: Input["nodes"][number]): readonly [Codec<unknown>, Codec<unknown>] {
  if (node.kind === "keyBy") return [node.keyCodec, node.valueCodec!];
  return [node.topic.key, node.topic.value];
}
