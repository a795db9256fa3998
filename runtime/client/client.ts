// createClient: one client, its metadata and connections, and what is made from it.

import { ClusterAdmin } from "./admin.ts";
import type { Admin, Client, Consumer, Producer } from "./api.ts";
import { ClusterCalls } from "./cluster-calls.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { PartitionConsumer } from "./consumer.ts";
import { Context, closedError, type OwnOptions } from "./context.ts";
import { processExactlyOnce } from "./exactly-once.ts";
import type { GroupConsumer, Groups } from "./group-api.ts";
import { GroupCalls } from "./group-calls.ts";
import { SharedConsumer } from "./group-consumer.ts";
import { ClusterGroups } from "./groups.ts";
import { Metadata } from "./metadata.ts";
import { TopicProducer } from "./producer.ts";
import type { TransactionalProducer } from "./transaction-api.ts";
import { ExclusiveProducer } from "./transactional-producer.ts";

/** Connects when first used. Throws a `ClientError` for options that cannot work. */
export function createClient(options: OwnOptions): Client {
  const context = new Context(options);
  const pool = new ConnectionPool(context);
  const metadata = new Metadata(context, pool);
  const calls = new ClusterCalls(context, metadata, pool);
  const producers: (Producer | TransactionalProducer)[] = [];
  const consumers: Consumer[] = [];
  const shared: GroupConsumer[] = [];
  const others: unknown[] = [];
  const made = <T, Item extends T>(list: T[], item: Item): Item => {
    if (context.closed) throw closedError("Using the client");
    list.push(item);
    return item;
  };
  return {
    producer: (settings) => made(producers, new TopicProducer(context, metadata, settings)),
    transactionalProducer: (settings) => made(producers, new ExclusiveProducer(calls, settings)),
    consumer: (settings) => made(consumers, new PartitionConsumer(calls, settings)),
    admin: (): Admin => made(others, new ClusterAdmin(calls)),
    groups: (): Groups => made(others, new ClusterGroups(new GroupCalls(calls, pool))),
    groupConsumer: (settings) => made(shared, new SharedConsumer(calls, settings)),
    processExactlyOnce: (settings) => processExactlyOnce(context, settings),
    async close() {
      await Promise.all(producers.map((producer) => producer.close()));
      await Promise.all(shared.map((consumer) => consumer.stop()));
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      context.close();
      pool.close();
    },
  };
}
