// The OpenAPI document, made from the routes themselves: each is entered with its description and schemas
// into an app that serves nothing, which hono-openapi then reads. Loaded by the first request for it.

import { Hono } from "hono";
import {
  type DescribeRouteOptions,
  describeRoute,
  generateSpecs,
  resolver,
  validator,
} from "hono-openapi";
import type { Content, Route, RouteDoc } from "./route.ts";
import { schemas, wholeNumberPattern } from "./schemas.ts";

const description =
  "One log, two doors: what is produced here can be read by any Kafka client, and the other way round. " +
  "Errors have one shape, with Kafka's names.";

/** OpenAPI 3.1. */
export async function openApiDocument(
  routes: readonly Route[],
  { version }: { version: string },
): Promise<unknown> {
  const app = new Hono();
  for (const { method, path: pattern, doc } of routes) {
    const path = pattern.replace("{.+}", "");
    const described = describeRoute(routeOptions(doc));
    if (doc.query === undefined) app.on(method, path, described);
    else app.on(method, path, described, validator("query", schemas[doc.query]));
  }
  const document = await generateSpecs(app, {
    documentation: { info: { title: "Timberline", version, description } },
    // Our own error answer stands in for the validator's.
    defaultValidationErrorResponse: false,
    excludeStaticFile: false,
    excludeMethods: [],
  });
  return withNumbers(document);
}

function routeOptions(doc: RouteDoc): DescribeRouteOptions {
  const { tag, summary, body, answers } = doc;
  const error = tag === "kafka-rest" ? "restError" : "error";
  const failed = { description: "Any error", content: { "application/json": error } } as const;
  const responses = Object.entries({ ...answers, default: failed }).map(([status, answer]) => [
    status,
    {
      description: answer.description,
      ...(answer.content === undefined ? {} : { content: contentOf(answer.content) }),
    },
  ]);
  return {
    tags: [tag],
    summary,
    ...(doc.description === undefined ? {} : { description: doc.description }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: contentOf(body) } }),
    responses: Object.fromEntries(responses),
  };
}

function contentOf(content: Content): Record<string, object> {
  const entries = Object.entries(content).map(([mediaType, name]) => [
    mediaType,
    name === null ? {} : { schema: resolver(schemas[name]) },
  ]);
  return Object.fromEntries(entries);
}

/** Numbers of a query are text to the validator; in the document they are integers. */
function withNumbers(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withNumbers);
  if (typeof node !== "object" || node === null) return node;
  const entries = Object.entries(node).map(([key, value]) => [key, withNumbers(value)]);
  const copy = Object.fromEntries(entries) as Record<string, unknown>;
  if (copy.type !== "string" || copy.pattern !== wholeNumberPattern.source) return copy;
  const { pattern: _, ...rest } = copy;
  return { ...rest, type: "integer" };
}
