// Bodies of this API: JSON objects whose members are looked at one by one, so that a wrong one is a 422 that names it.

import type { Context } from "hono";
import type { TopicPartition } from "../../broker.ts";
import { withText } from "../body.ts";
import type { Door } from "../route.ts";
import { parseJson } from "../validation.ts";
import { unprocessable } from "./error.ts";
import { checkJsonBody } from "./media-type.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Places in one request. */
const placesMax = 10_000;

/** Undefined where there is no body. */
export function readBody(door: Door, context: Context): Promise<Fields | undefined> {
  checkJsonBody(context);
  return withText(door, context, (text) =>
    text.trim() === "" ? undefined : fieldsOf(parseJson(text), "body"),
  );
}

export async function requireBody(door: Door, context: Context): Promise<Fields> {
  const body = await readBody(door, context);
  if (body === undefined) throw unprocessable("body: missing, a JSON object is needed");
  return body;
}

export function fieldsOf(given: unknown, where: string): Fields {
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return given as Fields;
  throw unprocessable(`${where}: must be a JSON object`);
}

/** 422 for a member nobody reads: it is misspelt. */
export function onlyFields(fields: Fields, where: string, known: readonly string[]): void {
  const other = Object.keys(fields).find((name) => !known.includes(name));
  if (other === undefined) return;
  throw unprocessable(`${where}: unrecognized field ${JSON.stringify(other)}; known: ${known}`);
}

export function textField(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value == null) return undefined;
  if (typeof value === "string") return value;
  throw unprocessable(`${name}: must be a string`);
}

export function requiredText(fields: Fields, name: string): string {
  const value = textField(fields, name);
  if (value === undefined || value === "") throw unprocessable(`${name}: may not be empty`);
  return value;
}

/** Numbers may stand as text, as configurations do. */
export function numberField(fields: Fields, name: string, least = 0): number | undefined {
  const value = fields[name];
  if (value == null) return undefined;
  const number = typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (Number.isSafeInteger(number) && (number as number) >= least) return number as number;
  throw unprocessable(`${name}: must be a whole number from ${least} on`);
}

export function requiredNumber(fields: Fields, name: string): number {
  const value = numberField(fields, name);
  if (value === undefined) throw unprocessable(`${name}: missing`);
  return value;
}

/** Booleans may stand as text, as configurations do. */
export function flagField(fields: Fields, name: string): boolean | undefined {
  const value = fields[name];
  if (value == null) return undefined;
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw unprocessable(`${name}: must be true or false`);
}

export function listField(fields: Fields, name: string): readonly unknown[] | undefined {
  const value = fields[name];
  if (value == null) return undefined;
  if (!Array.isArray(value)) throw unprocessable(`${name}: must be an array`);
  if (value.length <= placesMax) return value;
  throw unprocessable(`${name}: ${value.length} elements, at most ${placesMax}`);
}

/** `[{"topic", "partition", …}]`, with what `more` reads of each. */
export function placesField<T>(
  fields: Fields,
  name: string,
  more: (each: Fields) => T,
): (TopicPartition & T)[] {
  const list = listField(fields, name);
  if (list === undefined) throw unprocessable(`${name}: missing`);
  return list.map((given, index) => {
    const each = fieldsOf(given, `${name}[${index}]`);
    const place = {
      topic: requiredText(each, "topic"),
      partition: requiredNumber(each, "partition"),
    };
    return { ...place, ...more(each) };
  });
}
