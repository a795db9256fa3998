// answersDue: how many answers the requests in some bytes will get. For ways into the Kafka door that are over when
// all has been answered, such as an HTTP request. A producer with acks=0 is the only one who gets none.

import { produce } from "./apis/produce.ts";
import { readClientId, readRequestPrefix } from "./headers.ts";
import { MalformedRequest } from "./malformed-request.ts";
import { Reader } from "./reader.ts";

const sizeBytes = 4;
/** Keys from here on are not Kafka's: what brokers of one cluster ask each other. */
const privateKeyMin = 1_000;
/** Since when a request may name a transactional id. */
const transactionalSince = 3;

/** Throws `MalformedRequest` for what is no sequence of whole frames, or asks what only brokers may ask. */
export function answersDue(bytes: Uint8Array): number {
  const reader = new Reader(bytes);
  let due = 0;
  for (let at = 0; at < bytes.length; ) {
    reader.select(at, bytes.length);
    const size = reader.int32();
    const end = at + sizeBytes + size;
    if (size < 0 || end > bytes.length) {
      throw new MalformedRequest(`the request at byte ${at} says ${size} bytes, but the body ends`);
    }
    reader.select(at + sizeBytes, end);
    if (isAnswered(reader)) due++;
    at = end;
  }
  return due;
}

function isAnswered(reader: Reader): boolean {
  const { apiKey, apiVersion } = readRequestPrefix(reader);
  if (apiKey >= privateKeyMin) throw new MalformedRequest(`API key ${apiKey} is not for clients`);
  if (apiKey !== produce.key || apiVersion < transactionalSince) return true;
  const isFlexible = produce.isFlexible(apiVersion);
  readClientId(reader, isFlexible);
  const length = reader.stringLength(isFlexible);
  if (length > 0) reader.skip(length);
  return reader.int16() !== 0;
}
