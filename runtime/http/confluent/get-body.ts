// The body of a GET: this API has one route with it. Web requests have none, so servers that get one hand it over beside
// the request, where their runtime lets them; clients that cannot send one use the query.

import type { Context } from "hono";
import type { HttpContext } from "../../platform.ts";
import { concat, tooLarge } from "../body.ts";
import { parseJson } from "../validation.ts";

const bytesMax = 1024 * 1024;

/** Undefined where there is none. */
export async function bodyOfGet(context: Context): Promise<unknown> {
  const source = context.req.raw.body ?? beside(context);
  if (source === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source) {
    length += chunk.length;
    if (length > bytesMax) throw tooLarge(bytesMax);
    chunks.push(chunk);
  }
  const text = new TextDecoder().decode(concat(chunks, length));
  return text.trim() === "" ? undefined : parseJson(text);
}

function beside({ env }: Context): AsyncIterable<Uint8Array> | undefined {
  return (env as HttpContext | undefined)?.bodyOfGet;
}
