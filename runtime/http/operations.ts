// What people and probes ask of the process itself: health, metrics, the OpenAPI document, the manual, and a
// first page that says where everything is. What is heavy is loaded by the first request for it.

import type { Context } from "hono";
import { BrokerError } from "../errors.ts";
import { escapeHtml, htmlPage } from "./html-page.ts";
import { type Door, json, type Route } from "./route.ts";

/** Why the broker should get no traffic now; empty when it is ready. */
export type Readiness = () => readonly string[];

/** Metrics in a text form chosen by the Accept header; `runtime/telemetry` has one. */
export interface MetricsSource {
  exposition(accept: string | undefined): Promise<{ contentType: string; body: string }>;
}

/** Pages of the manual, name to Markdown; read when first asked for. */
export type Manual = () => Promise<ReadonlyMap<string, string>>;

export interface Operations {
  readonly readiness: Readiness;
  readonly metrics: MetricsSource | undefined;
  readonly manual: Manual | undefined;
  /** Every route of the app, these included. */
  readonly routes: () => readonly Route[];
}

const health = { description: "OK", content: { "application/json": "health" } } as const;
const page = {
  description: "Page",
  content: { "text/html": null, "text/markdown": null },
} as const;

export function operationRoutes(door: Door, operations: Operations): Route[] {
  const { metrics, manual } = operations;
  const routes: Route[] = [
    {
      method: "GET",
      path: "/",
      doc: {
        tag: "operations",
        summary: "Where everything is",
        answers: { 200: { description: "Links", content: { "application/json": null } } },
      },
      handle: (context) => firstPage(door, context),
    },
    {
      method: "GET",
      path: "/healthz",
      doc: { tag: "operations", summary: "The process answers", answers: { 200: health } },
      handle: () => json({ status: "ok", reasons: [] }),
    },
    {
      method: "GET",
      path: "/readyz",
      doc: {
        tag: "operations",
        summary: "The broker may get traffic",
        answers: { 200: health, 503: { ...health, description: "Not now, and why" } },
      },
      handle: () => readyPage(operations.readiness()),
    },
    {
      method: "GET",
      path: "/openapi.json",
      doc: {
        tag: "operations",
        summary: "This API as an OpenAPI document",
        answers: { 200: { description: "OpenAPI 3.1", content: { "application/json": null } } },
      },
      handle: openApiPage(door, operations.routes),
    },
  ];
  if (metrics !== undefined) {
    routes.push({
      method: "GET",
      path: "/metrics",
      doc: {
        tag: "operations",
        summary: "Metrics, OpenMetrics or Prometheus text by Accept",
        answers: { 200: { description: "Metrics", content: { "text/plain": null } } },
      },
      handle: async (context) => {
        const { contentType, body } = await metrics.exposition(context.req.header("accept"));
        return new Response(body, { headers: { "content-type": contentType } });
      },
    });
  }
  if (manual !== undefined) routes.push(...manualRoutes(manual));
  return routes;
}

function readyPage(reasons: readonly string[]): Response {
  return json(
    { status: reasons.length === 0 ? "ready" : "not ready", reasons },
    reasons.length === 0 ? 200 : 503,
  );
}

function openApiPage(door: Door, routes: () => readonly Route[]): () => Promise<Response> {
  let document: Promise<unknown> | null = null;
  return async () => {
    document ??= import("./openapi.ts").then(({ openApiDocument }) =>
      openApiDocument(routes(), { version: door.config.version }),
    );
    return json(await document);
  };
}

function manualRoutes(manual: Manual): Route[] {
  const doc = (summary: string) =>
    ({ tag: "operations", summary, answers: { 200: page } }) as const;
  let pages: Promise<ReadonlyMap<string, string>> | null = null;
  const render = async (context: Context, name: string | null): Promise<Response> => {
    pages ??= manual();
    const { listPage, manualPage } = await import("./manual.ts");
    const wantsHtml = isBrowser(context);
    if (name === null) return listPage(await pages, { wantsHtml });
    const markdown = (await pages).get(name.replace(/\.md$/, ""));
    if (markdown !== undefined) {
      return manualPage(name, markdown, { wantsHtml: wantsHtml && !name.endsWith(".md") });
    }
    throw new BrokerError("RESOURCE_NOT_FOUND", `the manual has no page ${name}; /docs lists them`);
  };
  return [
    {
      method: "GET",
      path: "/docs",
      doc: doc("The manual"),
      handle: (context) => render(context, null),
    },
    {
      method: "GET",
      path: "/docs/:page",
      doc: doc("A page of the manual; with .md as Markdown"),
      handle: (context) => render(context, context.req.param("page") ?? ""),
    },
  ];
}

/** Browsers ask for HTML by name; curl and programs do not. */
function isBrowser(context: Context): boolean {
  return (context.req.header("accept") ?? "").includes("text/html");
}

const links = {
  topics: "/v1/topics",
  cluster: "/v1/cluster",
  health: "/healthz",
  ready: "/readyz",
  metrics: "/metrics",
  openapi: "/openapi.json",
  manual: "/docs",
} as const;

function firstPage(door: Door, context: Context): Response {
  const { origin } = new URL(context.req.url);
  const tries = [
    `curl -d hello ${origin}/v1/topics/first/records`,
    `curl '${origin}/v1/topics/first/partitions/0/records?offset=earliest'`,
    `curl -N ${origin}/v1/topics/first/records`,
  ];
  const { version } = door.config;
  if (!isBrowser(context)) return json({ name: "timberline", version, links, try: tries });
  const list = Object.entries(links).map(([name, to]) => `<li><a href="${to}">${name}</a></li>`);
  const body =
    `<h1>Timberline ${escapeHtml(version)}</h1><p>A durable log, for Kafka clients and for HTTP.</p>` +
    `<ul>${list.join("")}</ul><p>Try:</p><pre>${tries.map(escapeHtml).join("\n")}</pre>`;
  return htmlPage("Timberline", body);
}
