// createHttpApp: the HTTP door as a Hono app over any broker. Web standards only, so that it runs wherever
// Hono does. Registers the routes, and turns everything thrown into the one error answer.

import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { BrokerError } from "../errors.ts";
import type { Platform } from "../platform.ts";
import type { RoutableBroker } from "../routable-broker.ts";
import { InflightBudget } from "./body.ts";
import { type ConfluentDoor, confluentDoor } from "./confluent/routes.ts";
import { exposedHeaders } from "./durable-streams/answer-headers.ts";
import { durableStreamRoutes, streamRoute } from "./durable-streams/routes.ts";
import { errorAnswer, HttpError, isUnexpected } from "./error.ts";
import { fetchRoutes } from "./fetch.ts";
import { groupRoutes } from "./groups.ts";
import { type KafkaTunnel, kafkaTunnelRoutes } from "./kafka-tunnel.ts";
import { LargeAnswers } from "./large-answers.ts";
import { offsetRoutes } from "./offsets.ts";
import { type Manual, type MetricsSource, operationRoutes, type Readiness } from "./operations.ts";
import { PageMemory } from "./page-memory.ts";
import { produceRoutes } from "./produce.ts";
import {
  type Door,
  type HttpConfig,
  type HttpCounters,
  json,
  type Method,
  type Report,
  type Route,
} from "./route.ts";
import { SlowBodies } from "./slow-bodies.ts";
import { topicRoutes } from "./topics.ts";

export interface HttpAppOptions {
  readonly platform: Platform;
  readonly broker: RoutableBroker;
  readonly config: HttpConfig;
  readonly readiness: Readiness;
  readonly metrics?: MetricsSource;
  readonly docs?: Manual;
  /** For clients that speak Kafka's protocol over HTTP. */
  readonly kafka?: KafkaTunnel;
  /** Told of each failure that is ours. */
  readonly report: Report;
  /** Counted in, if given; read at a scrape. */
  readonly counters?: HttpCounters;
  /** Told of each answer that a route gave. */
  readonly observe?: (answered: Answered) => void;
  /** Aborted when the server stops: background work ends. */
  readonly closing?: AbortSignal;
}

export interface Answered {
  readonly method: string;
  /** The pattern, never the path. */
  readonly route: string;
  readonly status: number;
  /** Until the answer's head was there: streams last longer. */
  readonly durationMs: number;
}

export function createHttpApp(options: HttpAppOptions): Hono {
  const { platform, broker, config, report } = options;
  const counters = options.counters ?? { sseStreams: 0, inflightBytes: 0 };
  const { limits } = config;
  const inflight = new InflightBudget({ clock: platform.clock, limits, counters });
  const slowBodies = new SlowBodies(platform.clock);
  const pages = new LargeAnswers(limits);
  const { closing } = options;
  const door: Door = {
    platform,
    broker,
    config,
    counters,
    inflight,
    slowBodies,
    pages,
    pageMemory: new PageMemory(),
    report,
    closing,
  };
  const operations = operationRoutes(door, {
    readiness: options.readiness,
    metrics: options.metrics,
    manual: options.docs,
    routes: () => [...routes, ...confluent.routes()],
  });
  const confluent = confluentDoor(door);
  const routes = [
    ...produceRoutes(door),
    ...fetchRoutes(door),
    ...topicRoutes(door),
    ...offsetRoutes(door),
    ...groupRoutes(door),
    ...durableStreamRoutes(door),
    ...(options.kafka ? kafkaTunnelRoutes(door, options.kafka) : []),
    ...operations,
  ];
  // A slash at the end of a path is no other resource.
  const app = new Hono({ strict: false });
  app.onError((error, context) => failed(error, context, report));
  app.notFound((context) => failed(notFound(context, routes), context, report));
  if (config.corsOrigins.length > 0) app.use(crossOrigin(config.corsOrigins));
  for (const route of routes) {
    app.on(route.method, registeredPath(route), handlerOf(route, options));
  }
  registerLate(app, confluent, options);
  return app;
}

/**
 * Hono's fast router refuses `/v1/stream/:path{.+}` beside fixed paths below the same root, and the other one costs a small
 * append a tenth of its time. To it a wildcard is the same, but that it takes the bare root too: the handler refuses that.
 */
function registeredPath({ path }: Route): string {
  return path === streamRoute ? streamRoute.replace(":path{.+}", "*") : path;
}

/** Routes of an API that most servers never hear are made by the first request below their paths. */
function registerLate(app: Hono, door: ConfluentDoor, options: HttpAppOptions): void {
  let late: Hono | undefined;
  const make = () => {
    const made = new Hono({ strict: false });
    made.onError((error, context) => door.failed(error, context));
    made.notFound((context) => door.failed(notFound(context, door.routes()), context));
    for (const route of door.routes()) made.on(route.method, route.path, handlerOf(route, options));
    return made;
  };
  for (const path of door.paths) {
    app.all(path, (context) => {
      late ??= make();
      return late.fetch(context.req.raw, context.env);
    });
  }
}

/** Browsers ask before each write; this long they know the answer, if they remember it at all. */
const preflightAgeS = 7_200;

type Handler = (context: Context) => Response | Promise<Response>;

/** The route's handler with what its method and the options ask for, and nothing else. */
function handlerOf(route: Route, { config, observe, platform }: HttpAppOptions): Handler {
  let handle: Handler = route.handle;
  if (route.method === "GET") handle = withoutBodyForHead(handle);
  else if (route.method !== "OPTIONS") handle = sameOrigin(handle, config.corsOrigins);
  if (observe === undefined) return handle;
  const { clock } = platform;
  const { method, path } = route;
  return async (context) => {
    const startMs = clock.monotonicMs();
    const answered = (status: number) =>
      observe({ method, route: path, status, durationMs: clock.monotonicMs() - startMs });
    try {
      const response = await handle(context);
      answered(response.status);
      return response;
    } catch (error) {
      answered(errorAnswer(error).status);
      throw error;
    }
  };
}

/** Hono answers HEAD by GET and drops the body: what the body holds must be given back. */
function withoutBodyForHead(handle: Handler): Handler {
  return async (context) => {
    const response = await handle(context);
    if (context.req.method === "HEAD") await response.body?.cancel();
    return response;
  };
}

/**
 * A page of another origin can post simple bodies without asking, CORS or not: what changes something is
 * refused unless the page is our own or listed.
 */
function sameOrigin(handle: Handler, allowed: readonly string[]): Handler {
  return (context) => {
    const origin = context.req.header("origin");
    if (origin === undefined || allowed.includes(origin) || allowed.includes("*")) {
      return handle(context);
    }
    const host = context.req.header("host") ?? new URL(context.req.url).host;
    if (origin === `http://${host}` || origin === `https://${host}`) return handle(context);
    throw new HttpError(
      "INVALID_REQUEST",
      `pages of ${origin} may not write here: add it to timberline.http.cors.origins`,
      { status: 403 },
    );
  };
}

function crossOrigin(origins: readonly string[]): ReturnType<typeof cors> {
  return cors({
    origin: origins.includes("*") ? "*" : [...origins],
    allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    maxAge: preflightAgeS,
    exposeHeaders: [
      "location",
      "retry-after",
      "timberline-next-offset",
      "timberline-high-watermark",
      "timberline-last-stable-offset",
      "timberline-log-start-offset",
      ...exposedHeaders,
    ],
  });
}

function failed(error: unknown, context: Context, report: Report): Response {
  if (isUnexpected(error)) report(error, `${context.req.method} ${context.req.routePath}`);
  const { status, body, headers } = errorAnswer(error);
  const response = json(body, status);
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

/** 405 with the methods there are where only the method is wrong, else 404. */
function notFound(context: Context, routes: readonly Route[]): BrokerError {
  const { path, method } = context.req;
  const allowed = new Set<Method>();
  for (const route of routes) if (matches(route.path, path)) allowed.add(route.method);
  if (allowed.size === 0) {
    return new BrokerError("RESOURCE_NOT_FOUND", "no such route; /openapi.json lists all");
  }
  const allow = [...allowed].join(", ");
  return new HttpError("INVALID_REQUEST", `${method} is not for this route, which has ${allow}`, {
    status: 405,
    headers: { allow },
  });
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  const isOpen = pattern.endsWith("{.+}");
  if (isOpen) given.length = Math.min(given.length, wanted.length);
  return (
    wanted.length === given.length &&
    wanted.every((segment, i) => segment === given[i] || (segment[0] === ":" && given[i] !== ""))
  );
}
