// Messages of a stream as bodies: what a request brings becomes one record, or one per element of a JSON array; what
// was read becomes one body again. Pure.

import { invalid } from "../error.ts";
import { elementsOf } from "../json-text.ts";
import { encodeUtf8 } from "../utf8.ts";
import { parseJson } from "../validation.ts";

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
const comma = 0x2c;
const opening = 0x5b;
const closing = 0x5d;

/** Records of one body; none for an empty one. Throws INVALID_REQUEST for what is no JSON. */
export function messagesOf(body: Uint8Array, { isJson }: { isJson: boolean }): Uint8Array[] {
  if (body.length === 0) return [];
  if (!isJson) return [body];
  const text = textOf(body).trim();
  const value = parseJson(text);
  if (!Array.isArray(value)) return [text.length === body.length ? body : encodeUtf8(text)];
  return elementsOf(text).map(encodeUtf8);
}

/** A JSON array of the values, or just their bytes. */
export function bodyOf(
  values: readonly Uint8Array[],
  { isJson }: { isJson: boolean },
): Uint8Array<ArrayBuffer> {
  // Large messages come alone: they are not copied once more.
  if (!isJson && values.length === 1) return values[0]! as Uint8Array<ArrayBuffer>;
  let length = isJson ? 2 + Math.max(0, values.length - 1) : 0;
  for (const value of values) length += value.length;
  const body = new Uint8Array(length);
  let at = 0;
  if (isJson) body[at++] = opening;
  for (const value of values) {
    if (isJson && at > 1) body[at++] = comma;
    body.set(value, at);
    at += value.length;
  }
  if (isJson) body[at] = closing;
  return body;
}

function textOf(body: Uint8Array): string {
  try {
    return strictUtf8.decode(body);
  } catch {
    throw invalid("body: not UTF-8 text, which JSON is");
  }
}
