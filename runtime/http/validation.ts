// Requests against their schemas: a query or a JSON body in, typed values or one 400 that names every fault out.

import type { Context } from "hono";
import { HttpError, invalid } from "./error.ts";
import type { Parsed, SchemaName } from "./schemas.ts";

/** Faults told in one answer. */
const issuesMax = 20;

/** The query as `name` describes it. Repeated parameters arrive as arrays. */
export async function validQuery<Name extends SchemaName>(
  context: Context,
  name: Name,
): Promise<Parsed<Name>> {
  const given: Record<string, string | string[]> = {};
  for (const [key, values] of Object.entries(context.req.queries())) {
    given[key] = values.length === 1 ? values[0]! : values;
  }
  return validate(name, given, "query");
}

/** `text` as the JSON document that `name` describes. */
export async function validJson<Name extends SchemaName>(
  text: string,
  name: Name,
): Promise<Parsed<Name>> {
  return validate(name, parseJson(text), "body");
}

/** JSON.parse whose failure is the client's. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "no JSON";
    throw new HttpError("INVALID_REQUEST", `malformed JSON: ${reason}`, { cause });
  }
}

async function validate<Name extends SchemaName>(
  name: Name,
  given: unknown,
  where: "query" | "body",
): Promise<Parsed<Name>> {
  const { schemas } = await import("./schemas.ts");
  const result = await schemas[name]["~standard"].validate(given);
  if (result.issues === undefined) return result.value as Parsed<Name>;
  const issues = result.issues.slice(0, issuesMax).map((issue) => {
    const at = (issue.path ?? []).map(pathSegment).join(".");
    return { in: where, at, message: issue.message };
  });
  const first = issues[0]!;
  const at = first.at === "" ? where : `${where}: ${first.at}`;
  throw invalid(`${at}: ${first.message}`, { issues });
}

function pathSegment(segment: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof segment === "object" ? segment.key : segment);
}
