// ClusterCalls: sends a request to the broker that has to answer it (a partition's leader, the controller, one
// broker by id), and repeats it elsewhere when that has changed meanwhile.

import type { TopicPartition } from "../broker.ts";
import type { Api } from "../kafka/schema.ts";
import type { BrokerConnection, CallOptions } from "./broker-connection.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import type { Context } from "./context.ts";
import { ClientError, isStaleMetadata } from "./error.ts";
import type { Metadata } from "./metadata.ts";

export class ClusterCalls {
  readonly context: Context;
  readonly metadata: Metadata;
  readonly pool: ConnectionPool;

  constructor(context: Context, metadata: Metadata, pool: ConnectionPool) {
    this.context = context;
    this.metadata = metadata;
    this.pool = pool;
  }

  /** `run` throws the error its answer carries; retriable ones lead to a newly looked up leader. */
  atLeader<T>(
    place: TopicPartition,
    where: string,
    run: (connection: BrokerConnection) => Promise<T>,
  ): Promise<T> {
    const { topic, partition } = place;
    return this.#retry(where, async () => {
      const known = await this.metadata.load(topic, { create: false });
      if (known.partitions[partition] === undefined)
        throw noPartition(place, known.partitions.length);
      try {
        const leader = this.metadata.leaderOf(topic, partition);
        if (leader === undefined) throw noLeader(place);
        return await run(await this.pool.to(leader));
      } catch (error) {
        if (error instanceof ClientError && isStaleMetadata(error.code)) {
          this.metadata.invalidate(topic);
        }
        throw error;
      }
    });
  }

  atController<T>(where: string, run: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    return this.#retry(where, async (attempt) => {
      if (attempt > 1 || this.metadata.brokers.size === 0) await this.metadata.fetch([]);
      const { brokers, controllerId } = this.metadata;
      // Without a controller that clients can reach, any broker passes the request on.
      const broker = brokers.get(controllerId) ?? [...brokers.values()][0];
      if (broker === undefined)
        throw new ClientError("BROKER_NOT_AVAILABLE", `${where}: no broker.`);
      return run(await this.pool.to(broker));
    });
  }

  atBroker<T>(
    id: number,
    where: string,
    run: (connection: BrokerConnection) => Promise<T>,
  ): Promise<T> {
    return this.#retry(where, async () => {
      if (!this.metadata.brokers.has(id)) await this.metadata.fetch([]);
      const broker = this.metadata.brokers.get(id);
      if (broker !== undefined) return run(await this.pool.to(broker));
      const ids = [...this.metadata.brokers.keys()].join(", ");
      throw new ClientError("INVALID_REQUEST", `There is no broker ${id}: the brokers are ${ids}.`);
    });
  }

  /** To any broker, with retries. `check` throws the error the answer carries. */
  anywhere<Req, ReqIn, Res, ResIn, T>(
    where: string,
    call: { api: Api<Req, ReqIn, Res, ResIn>; message: ReqIn; options?: CallOptions },
    check: (response: Res) => T,
  ): Promise<T> {
    return this.#retry(where, async () =>
      check(await this.metadata.callAny(call.api, call.message, call.options)),
    );
  }

  #retry<T>(where: string, run: (attempt: number) => Promise<T>): Promise<T> {
    const timeoutMs = this.context.settings.operationTimeoutMs;
    const retry = (error: ClientError) =>
      error.retriable && error.code !== "UNKNOWN_TOPIC_OR_PARTITION";
    return this.context.retry({ where, timeoutMs, retry }, run);
  }
}

function noPartition({ topic, partition }: TopicPartition, count: number): ClientError {
  const what = `Topic ${topic} has ${count} partitions, from 0: there is no ${partition}.`;
  return new ClientError("UNKNOWN_TOPIC_OR_PARTITION", what);
}

function noLeader({ topic, partition }: TopicPartition): ClientError {
  const what = `${topic}-${partition} has no leader now. Check that its brokers run.`;
  return new ClientError("LEADER_NOT_AVAILABLE", what);
}
