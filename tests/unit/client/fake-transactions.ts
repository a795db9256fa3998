// The coordinator of a fake cluster: ids, epochs and what each transaction was told, in either protocol. What it
// refuses, a test's hook says; it only keeps count.

import { addOffsetsToTxn } from "../../../runtime/kafka/apis/add-offsets-to-txn.ts";
import { addPartitionsToTxn } from "../../../runtime/kafka/apis/add-partitions-to-txn.ts";
import { endTxn } from "../../../runtime/kafka/apis/end-txn.ts";
import { findCoordinator } from "../../../runtime/kafka/apis/find-coordinator.ts";
import { txnOffsetCommit } from "../../../runtime/kafka/apis/txn-offset-commit.ts";
import type { RequestOf } from "../../../runtime/kafka/schema.ts";

export const transactionApis = [
  findCoordinator,
  addPartitionsToTxn,
  addOffsetsToTxn,
  txnOffsetCommit,
  endTxn,
];

interface Asked {
  readonly api: string;
  readonly version: number;
  readonly message: unknown;
}

export class FakeTransactions {
  /** The feature transaction.version: 2 is protocol V2. */
  level = 2;
  coordinator = 1;
  epoch = -1;
  /** "commit" or "abort", in order. */
  readonly ends: string[] = [];

  /** Undefined for APIs that are not its own. */
  respond({ api, version, message }: Asked, error: number): unknown {
    if (api === "FindCoordinator") return this.#find(message as never, error);
    if (api === "AddPartitionsToTxn") return added(message as never, error);
    if (api === "AddOffsetsToTxn") return { errorCode: error };
    if (api === "TxnOffsetCommit") return committed(message as never, error);
    if (api === "EndTxn") return this.#end(version, message as never, error);
    return undefined;
  }

  /** A registration raises the epoch. */
  init(error: number) {
    if (error === 0) this.epoch++;
    return { throttleTimeMs: 0, errorCode: error, producerId: 77, producerEpoch: this.epoch };
  }

  #find({ coordinatorKeys }: RequestOf<typeof findCoordinator>, errorCode: number) {
    const nodeId = this.coordinator;
    const place = { nodeId, host: `broker-${nodeId}`, port: nodeId, errorCode, errorMessage: null };
    return { coordinators: coordinatorKeys.map((key) => ({ key, ...place })) };
  }

  #end(version: number, message: RequestOf<typeof endTxn>, errorCode: number) {
    if (errorCode !== 0) return { errorCode };
    this.ends.push(message.committed ? "commit" : "abort");
    if (version < 5) return { errorCode };
    this.epoch++;
    return { errorCode, producerId: 77, producerEpoch: this.epoch };
  }
}

function added({ topics }: RequestOf<typeof addPartitionsToTxn>, errorCode: number) {
  return {
    results: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((partitionIndex) => ({ partitionIndex, errorCode })),
    })),
  };
}

function committed({ topics }: RequestOf<typeof txnOffsetCommit>, errorCode: number) {
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  };
}
