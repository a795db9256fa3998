// The Durable Streams protocol at /v1/stream/: routes and their descriptions. What a route throws leaves with the
// headers that the protocol wants on every answer.

import type { Context } from "hono";
import { errorAnswer, HttpError, isUnexpected } from "../error.ts";
import type { Door, Method, Route, RouteDoc } from "../route.ts";
import { safetyHeaders } from "./answer-headers.ts";
import { appendToStream } from "./append.ts";
import { createStream } from "./create.ts";
import { LiveEvents } from "./live-events.ts";
import { allowedHere, readStream } from "./read.ts";
import { streamPath, streamRoot } from "./stream-name.ts";
import { StreamTable } from "./stream-table.ts";
import { subscriptionDoor } from "./subscriptions/subscription-routes.ts";

const docs: { readonly [method in "GET" | "PUT" | "POST" | "DELETE" | "OPTIONS"]: RouteDoc } = {
  GET: {
    tag: "streams",
    summary: "Read a stream",
    description:
      "From ?offset= (as Stream-Next-Offset said it, -1 or now); ?live=long-poll waits for the first message, " +
      "?live=sse goes on. JSON streams answer an array, others the bytes. HEAD tells the end and the life.",
    answers: { 200: { description: "A page" }, 204: { description: "A long poll without news" } },
  },
  PUT: {
    tag: "streams",
    summary: "Make a stream",
    description:
      "A single-partition topic with a content type, a life (Stream-TTL, Stream-Expires-At) and first messages; " +
      "with Stream-Forked-From it begins with another stream's records.",
    answers: { 201: { description: "Made" }, 200: { description: "There already, as asked" } },
  },
  POST: {
    tag: "streams",
    summary: "Append to a stream",
    description:
      "One record, or one per element of a JSON array; Stream-Closed: true closes the stream with it. " +
      "Producer-Id, Producer-Epoch and Producer-Seq make repetitions harmless.",
    answers: { 204: { description: "Stored" }, 200: { description: "Stored, of a producer" } },
  },
  DELETE: {
    tag: "streams",
    summary: "Remove a stream",
    description:
      "While others are forked from it, its records are kept for them and it answers 410.",
    answers: { 204: { description: "Removed" } },
  },
  OPTIONS: {
    tag: "streams",
    summary: "What a page may ask",
    answers: { 204: { description: "Methods and headers" } },
  },
};

export const streamRoute = `${streamRoot}:path{.+}`;

export function durableStreamRoutes(door: Door): Route[] {
  const table = new StreamTable(door);
  table.life.start(door.closing);
  const live = new LiveEvents(door, table);
  const subscriptions = subscriptionDoor(door, table);
  const changed = () => subscriptions.noticed();
  const route = (method: keyof typeof docs, handle: Route["handle"]): Route => ({
    method: method as Method,
    path: streamRoute,
    doc: docs[method],
    handle: (context) => answered(context, handle),
  });
  return [
    // First: below the reserved segment lies no stream.
    ...subscriptions.routes.map((each) => ({
      ...each,
      handle: (context: Context) => answered(context, each.handle),
    })),
    route("GET", (context) => readStream(door, table, live, context)),
    route("PUT", (context) => createStream(door, table, context, changed)),
    route("POST", (context) => appendToStream(door, table, context, changed)),
    route("DELETE", async (context) => {
      const stream = await table.find(streamPath(context.req.path));
      await table.remove(stream);
      return new Response(null, { status: 204, headers: safetyHeaders });
    }),
    route("OPTIONS", allowedHere),
  ];
}

async function answered(context: Context, handle: Route["handle"]): Promise<Response> {
  try {
    return await handle(context);
  } catch (error) {
    if (isUnexpected(error)) throw error;
    throw withSafety(error);
  }
}

function withSafety(cause: unknown): HttpError {
  const { status, body, headers } = errorAnswer(cause);
  const { code, message, status: _, ...details } = body.error;
  return new HttpError(code, message, {
    status,
    details,
    headers: { ...headers, ...safetyHeaders, "cache-control": "no-store" },
    cause,
  });
}
