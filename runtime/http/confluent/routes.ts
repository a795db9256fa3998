// Confluent's REST API, v2 at the root and v3 below /v3/: the list of its routes. Errors leave in its own shape. All that
// the routes do is loaded by the first request for one of them, or when there are consumer instances to look after.

import type { Context } from "hono";
import { isUnexpected } from "../error.ts";
import type { Door, Route } from "../route.ts";
import type { Entry } from "./entry.ts";
import { errorResponse } from "./error.ts";
import type { Handlers } from "./handlers.ts";
import { instancesTopic } from "./instance.ts";
import { routesV3 } from "./v3/routes.ts";

/** How often it is looked whether there is somebody to look after. */
const sweepMs = 3_000;

const topic = "/topics/:topic";
const partition = `${topic}/partitions/:partition`;
const instance = "/consumers/:group/instances/:instance";

const routesV2: readonly Entry[] = [
  ["GET", "/topics", "listTopics", "List topics (v2)"],
  ["GET", topic, "describeTopic", "Describe a topic (v2)"],
  ["POST", topic, "produce", "Append records (v2)"],
  ["GET", `${topic}/partitions`, "listPartitions", "List partitions (v2)"],
  ["GET", partition, "describePartition", "Describe a partition (v2)"],
  ["POST", partition, "produce", "Append records to one partition (v2)"],
  ["GET", `${partition}/offsets`, "partitionOffsets", "Where a partition begins and ends (v2)"],
  ["GET", "/brokers", "listBrokers", "List brokers (v2)"],
  ["POST", "/consumers/:group", "createInstance", "Make a consumer instance (v2)"],
  ["DELETE", instance, "removeInstance", "Remove a consumer instance (v2)"],
  ["POST", `${instance}/subscription`, "subscribe", "Subscribe to topics or a pattern (v2)"],
  ["GET", `${instance}/subscription`, "subscription", "What an instance subscribes to (v2)"],
  ["DELETE", `${instance}/subscription`, "unsubscribe", "Subscribe to nothing (v2)"],
  ["POST", `${instance}/assignments`, "assign", "Read these partitions, without a group (v2)"],
  ["GET", `${instance}/assignments`, "assignments", "What an instance reads (v2)"],
  ["POST", `${instance}/positions`, "seek", "Read on elsewhere (v2)"],
  ["POST", `${instance}/positions/beginning`, "seekToBeginning", "Read from the beginning (v2)"],
  ["POST", `${instance}/positions/end`, "seekToEnd", "Read from the end (v2)"],
  ["GET", `${instance}/offsets`, "committed", "Committed offsets (v2)"],
  ["POST", `${instance}/offsets`, "commit", "Commit offsets (v2)"],
  ["GET", `${instance}/records`, "records", "Read on (v2)"],
];

export interface ConfluentDoor {
  /** Everything below them is this door's. */
  readonly paths: readonly string[];
  /** Made when somebody asks for one of them, or for their list. */
  routes(): readonly Route[];
  failed(error: unknown, context: Context): Response;
}

export function confluentDoor(door: Door): ConfluentDoor {
  let loading: Promise<Handlers> | undefined;
  const load = () => {
    loading ??= import("./handlers.ts").then(({ createHandlers }) => createHandlers(door));
    return loading;
  };
  let routes: readonly Route[] | undefined;
  const failed = (error: unknown, { req }: Context) => {
    if (isUnexpected(error)) door.report(error, `${req.method} ${req.routePath}`);
    return errorResponse(error, req.path.startsWith("/v3/") ? "v3" : "v2");
  };
  sweepUntil(door, async () => (await load()).sweep());
  return {
    paths: ["/topics/*", "/brokers", "/consumers/*", "/v3/*"],
    routes() {
      routes ??= [...routesV2, ...routesV3].map(([method, path, name, summary]): Route => {
        const answers = { 200: { description: "As Confluent's REST API answers it" } };
        const handle = async (context: Context): Promise<Response> => {
          try {
            return await (await load()).routes[name](context);
          } catch (error) {
            return failed(error, context);
          }
        };
        return { method, path, doc: { tag: "kafka-rest", summary, answers }, handle };
      });
      return routes;
    },
    failed,
  };
}

function sweepUntil({ broker, platform, closing }: Door, sweep: () => Promise<void>): void {
  const next = () => {
    if (closing?.aborted) return;
    if (broker.cluster().topics.has(instancesTopic)) void sweep();
    platform.clock.after(sweepMs, next);
  };
  platform.clock.after(sweepMs, next);
}
