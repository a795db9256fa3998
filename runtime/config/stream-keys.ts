// Topic keys of the Durable Streams door: what a stream is, written when it is made. Persisted by name in the control
// plane: never rename.

import { boolean, long, string } from "./key.ts";

export const STREAM_KEYS = {
  "timberline.stream.content.type": string({
    default: "",
    doc: "Content type of a stream of the Durable Streams door; empty: the topic was made elsewhere, and its records are bytes to that door.",
  }),
  "timberline.stream.expires.at.ms": long({
    default: -1,
    unit: "ms",
    min: 0,
    also: [-1],
    doc: "When a stream ends, as ms since 1970; -1: never.",
    related: ["timberline.stream.ttl.seconds"],
  }),
  "timberline.stream.fork": string({
    default: "",
    doc: "Of a forked stream, where it left its source: TOPIC/PARTITION TOPIC-ID POSITION+SUB-OFFSET.",
  }),
  "timberline.stream.gone": boolean({
    default: false,
    doc: "A stream that was removed, and is kept for those that were forked from it.",
  }),
  "timberline.stream.ttl.seconds": long({
    default: -1,
    unit: "seconds",
    min: 0,
    also: [-1],
    doc: "A stream that nobody reads or writes for so long is removed; -1: never.",
    related: ["timberline.stream.expires.at.ms"],
  }),
  "timberline.stream.used.ms": long({
    default: -1,
    unit: "ms",
    min: 0,
    also: [-1],
    doc: "When a broker that does not lead the stream last told of a reader, as ms since 1970.",
    related: ["timberline.stream.ttl.seconds"],
  }),
} as const;
