// Messages of a request's body: it is one record, or one per element of a JSON array. Pure.

import { invalid } from "../error.ts";
import { elementsOf } from "../json-text.ts";
import { encodeUtf8 } from "../utf8.ts";
import { parseJson } from "../validation.ts";

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** Records of one body; none for an empty one. Throws INVALID_REQUEST for what is no JSON. */
export function messagesOf(body: Uint8Array, { isJson }: { isJson: boolean }): Uint8Array[] {
  if (body.length === 0) return [];
  if (!isJson) return [body];
  const text = textOf(body).trim();
  const value = parseJson(text);
  if (!Array.isArray(value)) return [text.length === body.length ? body : encodeUtf8(text)];
  return elementsOf(text).map(encodeUtf8);
}

function textOf(body: Uint8Array): string {
  try {
    return strictUtf8.decode(body);
  } catch {
    throw invalid("body: not UTF-8 text, which JSON is");
  }
}
