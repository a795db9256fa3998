// Media types of Confluent's API: `application/vnd.kafka[.format].v2+json` says how records stand in the JSON around
// them. Formats that need a schema registry are refused by name, with those there are.

import type { Context } from "hono";
import { plainV2 } from "./answer.ts";
import { RestError } from "./error.ts";

/** `json`: any JSON value, stored as its own text; `binary`: base64. */
export type EmbeddedFormat = "json" | "binary";

const embeddedPattern =
  /^application\/vnd\.kafka\.(json|binary|avro|protobuf|jsonschema)\.v2\+json$/;
const jsonPattern = /^application\/(json|vnd\.kafka(\.[a-z0-9]+)*\+json)$/;
const inPlace = "send application/vnd.kafka.json.v2+json or application/vnd.kafka.binary.v2+json";

export function embeddedType(format: EmbeddedFormat): string {
  return `application/vnd.kafka.${format}.v2+json`;
}

/** What records of the body are. Throws 415. */
export function bodyFormat(context: Context): EmbeddedFormat {
  const given = mediaTypeOf(context.req.header("content-type") ?? "");
  const format = embeddedPattern.exec(given)?.[1];
  if (format === "json" || format === "binary") return format;
  if (format !== undefined) throw new RestError(415, noRegistry(format));
  throw new RestError(415, `content-type ${given || "missing"}: ${inPlace}`);
}

/** A body that holds no records is JSON, by any of its names; curl must be told. Throws 415. */
export function checkJsonBody(context: Context): void {
  const given = mediaTypeOf(context.req.header("content-type") ?? "");
  if (given === "" || given === "application/octet-stream" || jsonPattern.test(given)) return;
  throw new RestError(415, `content-type ${given}: send application/json or ${plainV2}`);
}

/** `instead`: what to do, where it is no media type. */
export function noRegistry(format: string, instead = inPlace): string {
  return `${format} needs a schema registry, which there is none of here: ${instead}`;
}

/** The format that `Accept` demands of records; null: any. Throws 406 for what never comes. */
export function acceptedFormat(context: Context): EmbeddedFormat | null {
  const accept = context.req.header("accept") ?? "";
  const types = accept.split(",").map(mediaTypeOf).filter(Boolean);
  if (types.length === 0 || types.some(isAny)) return null;
  for (const type of types) {
    const format = embeddedPattern.exec(type)?.[1];
    if (format === "json" || format === "binary") return format;
  }
  throw new RestError(
    406,
    `accept ${accept}: ask for application/vnd.kafka.json.v2+json or application/vnd.kafka.binary.v2+json`,
  );
}

function isAny(type: string): boolean {
  return ["*/*", "application/*", "application/json", plainV2].includes(type);
}

function mediaTypeOf(given: string): string {
  return given.split(";", 1)[0]!.trim().toLowerCase();
}
