// What the routes of this folder do, by name. Loaded by the first request for any of them.

import type { Context } from "hono";
import { StickyPartitioner } from "../../partitioner.ts";
import type { Door } from "../route.ts";
import { Consumers } from "./consumers.ts";
import { Keeper } from "./keeper.ts";
import * as metadata from "./metadata.ts";
import { produceV2 } from "./produce.ts";
import { handlersV3 } from "./v3/handlers.ts";

type Handle = (context: Context) => Response | Promise<Response>;

export type Handlers = ReturnType<typeof createHandlers>;

export function createHandlers(door: Door) {
  const keyless = new StickyPartitioner({ random: door.platform.random });
  const consumers = new Consumers(door);
  const keeper = new Keeper(door, consumers.table, consumers.membership);
  const produce: Handle = (context) => produceV2(door, context, keyless);
  return {
    /** Not a route: what is done from time to time. */
    sweep: () => keeper.sweep(),
    routes: {
      ...handlersV3(door, keyless),
      listTopics: () => metadata.listTopics(door),
      describeTopic: (context) => metadata.describeTopic(door, context),
      listPartitions: (context) => metadata.listPartitions(door, context),
      describePartition: (context) => metadata.describePartition(door, context),
      partitionOffsets: (context) => metadata.partitionOffsets(door, context),
      listBrokers: () => metadata.listBrokers(door),
      produce,
      createInstance: (context) => consumers.create(context),
      removeInstance: (context) => consumers.remove(context),
      subscribe: (context) => consumers.subscribe(context),
      subscription: (context) => consumers.subscription(context),
      unsubscribe: (context) => consumers.unsubscribe(context),
      assign: (context) => consumers.assign(context),
      assignments: (context) => consumers.assignments(context),
      seek: (context) => consumers.seek(context),
      seekToBeginning: (context) => consumers.seekToEdge(context, "earliest"),
      seekToEnd: (context) => consumers.seekToEdge(context, "latest"),
      committed: (context) => consumers.committed(context),
      commit: (context) => consumers.commit(context),
      records: (context) => consumers.records(context),
    } satisfies Record<string, Handle>,
  };
}

export type HandlerName = keyof Handlers["routes"];
