// An HTTP door over a fake broker, and the requests that most tests make.

import type { Hono } from "hono";
import { createHttpApp, type HttpAppOptions } from "../../../runtime/http/app.ts";
import { defaultHttpLimits, type HttpLimits } from "../../../runtime/http/limits.ts";
import type { Platform } from "../../../runtime/platform.ts";
import { createPlatform } from "../../../runtime/platforms/node.ts";
import { FakeBroker } from "./fake-broker.ts";

export const platform: Platform = createPlatform();

export interface TestDoor {
  readonly app: Hono;
  readonly broker: FakeBroker;
  readonly counters: { sseStreams: number; inflightBytes: number };
  readonly reported: unknown[];
}

export function openDoor(
  options: Partial<Omit<HttpAppOptions, "config">> & {
    limits?: Partial<HttpLimits>;
    corsOrigins?: readonly string[];
  } = {},
): TestDoor {
  const broker = new FakeBroker(platform);
  const counters = { sseStreams: 0, inflightBytes: 0 };
  const reported: unknown[] = [];
  const { limits, corsOrigins = [], ...rest } = options;
  const app = createHttpApp({
    platform,
    broker,
    config: { corsOrigins, limits: { ...defaultHttpLimits, ...limits }, version: "0.0.0-test" },
    readiness: () => [],
    report: (error) => reported.push(error),
    counters,
    ...rest,
  });
  return { app, broker, counters, reported };
}

/** JSON of whatever shape an assertion expects: members of members, down to what is compared. */
export interface Json {
  readonly [member: string]: Json;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Json;
}

export async function call(
  { app }: Pick<TestDoor, "app">,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const isRaw = body === undefined || typeof body === "string" || isStreamOrBytes(body);
  const response = await app.request(path, {
    method,
    headers: isRaw ? headers : { "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: isRaw ? (body as BodyInit) : JSON.stringify(body) }),
    ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
  } as RequestInit);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parse(text) };
}

export const get = (door: TestDoor, path: string, headers?: Record<string, string>) =>
  call(door, "GET", path, undefined, headers);

export const post = (
  door: TestDoor,
  path: string,
  body: unknown,
  headers?: Record<string, string>,
) => call(door, "POST", path, body, headers);

export const ndjson = { "content-type": "application/x-ndjson" };

/** A request body that comes in the given pieces. */
export function streamed(pieces: readonly (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const left = [...pieces];
  return new ReadableStream({
    pull(controller) {
      const piece = left.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : piece);
    },
  });
}

function isStreamOrBytes(body: unknown): boolean {
  return body instanceof ReadableStream || body instanceof Uint8Array;
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return {};
  }
}
