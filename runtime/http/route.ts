// What a route is to this folder: a handler with the description its OpenAPI entry is made from, so that the
// document cannot drift from the code. Resource files return lists of routes; `app.ts` registers them.

import type { Context } from "hono";
import type { Platform } from "../platform.ts";
import type { RoutableBroker } from "../routable-broker.ts";
import type { InflightBudget } from "./body.ts";
import type { LargeAnswers } from "./large-answers.ts";
import type { HttpLimits } from "./limits.ts";
import type { PageMemory } from "./page-memory.ts";
import type { SchemaName } from "./schemas.ts";
import type { SlowBodies } from "./slow-bodies.ts";

export interface HttpConfig {
  /** `timberline.http.cors.origins`: empty turns CORS off. `*` allows every origin. */
  readonly corsOrigins: readonly string[];
  readonly limits: HttpLimits;
  /** Version of Timberline, for `/` and the OpenAPI document. */
  readonly version: string;
}

/** Plain fields the door counts in; read by metrics at a scrape, perhaps shared with the other door. */
export interface HttpCounters {
  /** SSE and NDJSON answers under way. */
  sseStreams: number;
  /** Bytes of request bodies held in memory. */
  inflightBytes: number;
}

/** What handlers share. */
export interface Door {
  readonly platform: Platform;
  readonly broker: RoutableBroker;
  readonly config: HttpConfig;
  readonly counters: HttpCounters;
  readonly inflight: InflightBudget;
  readonly slowBodies: SlowBodies;
  readonly pages: LargeAnswers;
  readonly pageMemory: PageMemory;
  readonly report: Report;
  /** Aborted when the server stops; absent: never. */
  readonly closing?: AbortSignal | undefined;
}

/** Tells a person of a failure that is ours, not the client's. `where` names the route, never data. */
export type Report = (error: unknown, where: string) => void;

export type Method = "GET" | "POST" | "PATCH" | "DELETE" | "PUT" | "OPTIONS";

/** A media type's schema by name, or null for bytes and text that have none. */
export type Content = { readonly [mediaType: string]: SchemaName | null };

export interface RouteDoc {
  readonly tag:
    | "topics"
    | "records"
    | "streams"
    | "groups"
    | "cluster"
    | "kafka"
    | "kafka-rest"
    | "operations";
  readonly summary: string;
  readonly description?: string;
  readonly query?: SchemaName;
  readonly body?: Content;
  readonly answers: {
    readonly [status: number]: { readonly description: string; readonly content?: Content };
  };
}

export interface Route {
  readonly method: Method;
  /** With Hono's `:name` parameters; the last may be `:name{.+}`, of several segments. */
  readonly path: string;
  readonly doc: RouteDoc;
  readonly handle: (context: Context) => Response | Promise<Response>;
}

/** A path parameter that the route's own path names. */
export function pathParameter(context: Context, name: string): string {
  const value = context.req.param(name);
  if (value === undefined) throw new Error(`route ${context.req.path} has no parameter ${name}`);
  return value;
}

/** A JSON answer without middleware's detours. */
export function json(value: unknown, status = 200): Response {
  return jsonText(JSON.stringify(value), status);
}

const jsonHeaders = { "content-type": "application/json; charset=utf-8" };

/** A JSON answer whose text is already there. */
export function jsonText(text: string, status = 200): Response {
  return new Response(text, { status, headers: jsonHeaders });
}
