// Coordinators: sends requests to the broker that coordinates a group or a transactional id, found once and looked
// up again when it has moved.

import { findCoordinator } from "../kafka/apis/find-coordinator.ts";
import type { BrokerConnection } from "./broker-connection.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { ClientError, errorFromCode } from "./error.ts";

/** Wire numbers: FindCoordinator's key types. */
const keyTypes = { group: 0, transaction: 1 } as const;
const coordinatorsMax = 10_000;

export class Coordinators {
  readonly calls: ClusterCalls;
  readonly #pool: ConnectionPool;
  readonly #kind: keyof typeof keyTypes;
  /** Broker id by group or transactional id. */
  readonly #known = new Map<string, number>();

  constructor(calls: ClusterCalls, pool: ConnectionPool, kind: keyof typeof keyTypes) {
    this.calls = calls;
    this.#pool = pool;
    this.#kind = kind;
  }

  /** `run` throws the error its answer carries; retriable ones lead to a newly looked up coordinator. */
  at<T>(
    key: string,
    where: string,
    run: (connection: BrokerConnection, brokerId: number) => Promise<T>,
    timeoutMs = this.calls.context.settings.operationTimeoutMs,
  ): Promise<T> {
    return this.calls.context.retry({ where, timeoutMs }, () => this.once(key, where, run));
  }

  /** The same, without trying again. */
  async once<T>(
    key: string,
    where: string,
    run: (connection: BrokerConnection, brokerId: number) => Promise<T>,
  ): Promise<T> {
    const id = this.#known.get(key) ?? (await this.#find(key, where));
    try {
      const broker = this.calls.metadata.brokers.get(id);
      if (broker === undefined)
        throw new ClientError("BROKER_NOT_AVAILABLE", `${where}: no broker.`);
      return await run(await this.#pool.to(broker), id);
    } catch (error) {
      if (!(error instanceof ClientError) || movesOn(error)) this.#known.delete(key);
      throw error;
    }
  }

  async #find(key: string, where: string): Promise<number> {
    const { metadata } = this.calls;
    if (metadata.brokers.size === 0) await metadata.fetch([]);
    const message = { key, keyType: keyTypes[this.#kind], coordinatorKeys: [key] };
    const answer = await metadata.callQuickest(findCoordinator, message);
    const found = answer.coordinators[0] ?? answer;
    const error = errorFromCode(found.errorCode, where, found.errorMessage);
    if (error !== null) throw error;
    if (!metadata.brokers.has(found.nodeId)) await metadata.fetch([]);
    if (this.#known.size >= coordinatorsMax) this.#known.clear();
    this.#known.set(key, found.nodeId);
    return found.nodeId;
  }
}

/** Waiting for a transaction to end, the coordinator stays where it is. */
function movesOn({ code, retriable }: ClientError): boolean {
  return retriable && code !== "CONCURRENT_TRANSACTIONS" && code !== "UNSTABLE_OFFSET_COMMIT";
}
