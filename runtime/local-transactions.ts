// What the transaction coordinator gets from this process: its partitions of __transaction_state, markers into
// local partitions, producer ids and limits. Also lets transactional batches in. Used by `local-broker.ts` only.

import type { ClusterState, ControlPlane } from "../cluster/control-plane.ts";
import type { Appended, AppendRequest } from "./broker.ts";
import type { BrokerConfig } from "./config.ts";
import { coordinatorPartition } from "./coordinator-partition.ts";
import { BrokerError } from "./errors.ts";
import type { Coordinator as GroupCoordinator } from "./groups/coordinator.ts";
import type { LocalPartitions } from "./local-partitions.ts";
import type { Partition } from "./log/partition.ts";
import type { AppendOptions } from "./log/partition-host.ts";
import type { Platform } from "./platform.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import { offsetsTopic, transactionsTopic } from "./topic-name.ts";
import type { TransactionalOffsets } from "./transaction-coordinator.ts";
import { Coordinator } from "./transactions/coordinator.ts";
import type { CoordinatorHost } from "./transactions/coordinator-host.ts";
import { type AskBroker, remoteTransactions } from "./transactions/peer-questions.ts";

/** Where a batch says whose it is. */
const batchHeaderBytes = 61;
const attributesLowByteAt = 22;
const transactionalBit = 0x10;
const producerIdAt = 43;
const producerEpochAt = 51;
const baseSequenceAt = 53;
/** TxnOffsetCommit knows the errors of an OffsetCommit of its time. */
const commitVersion = 8;

export interface LocalTransactionsOptions {
  readonly platform: Pick<Platform, "clock" | "core" | "codecs">;
  readonly controlPlane: ControlPlane;
  readonly partitions: LocalPartitions;
  readonly brokerId: number;
  readonly metrics: Metrics;
  readonly groups: TransactionalOffsets;
  readonly createStateTopic: () => Promise<void>;
  /** Absent on a broker that is alone. */
  readonly askBroker?: AskBroker;
  /** Told of what is neither a client's fault nor stops anything. */
  readonly report: (error: unknown, where: string) => void;
}

export function localCoordinator(options: LocalTransactionsOptions): Coordinator {
  const { platform, controlPlane, partitions, brokerId, metrics, groups, report } = options;
  const limit = (name: Parameters<BrokerConfig["number"]>[0]) => partitions.config.number(name);
  const host: CoordinatorHost = {
    ...{ core: platform.core, codecs: platform.codecs, clock: platform.clock },
    ...{ brokerId, groups, report, counters: metrics.transactions },
    remote: remoteTransactions(options.askBroker ?? nobody),
    partition: (place) => partitions.get(place),
    leaderOf: ({ topic, partition }) =>
      controlPlane.state().topics.get(topic)?.partitions[partition]?.leader ?? -1,
    statePartitionCount: () => statesOf(controlPlane)?.length ?? 0,
    statePartition: (partition) => partitions.get({ topic: transactionsTopic, partition }),
    stateLeader: (index) => statesOf(controlPlane)?.[index]?.leader ?? -1,
    watchStates: (changed) =>
      controlPlane.watch((change) => {
        if ("topic" in change && change.topic.name === transactionsTopic) changed();
      }),
    createStateTopic: options.createStateTopic,
    allocateProducerId: () => controlPlane.allocateProducerIds(1),
    limits: () => ({
      timeoutMsMax: limit("transaction.max.timeout.ms"),
      timeoutCheckMs: limit("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
      idExpirationMs: limit("transactional.id.expiration.ms"),
      expirationCheckMs: limit("transaction.remove.expired.transaction.cleanup.interval.ms"),
    }),
  };
  return new Coordinator(host);
}

function statesOf(controlPlane: ControlPlane) {
  return controlPlane.state().topics.get(transactionsTopic)?.partitions;
}

async function nobody(brokerId: number): Promise<never> {
  throw new BrokerError("BROKER_NOT_AVAILABLE", `broker ${brokerId} cannot be reached`);
}

/** Consumer groups as transactions see them. */
export function transactionalOffsets(
  groups: GroupCoordinator,
  cluster: () => ClusterState,
): TransactionalOffsets {
  return {
    async partitionOf(groupId) {
      await groups.find(groupId);
      return coordinatorPartition(groupId, cluster().topics.get(offsetsTopic)!.partitions.length);
    },
    commitInTransaction: (request) =>
      groups.commitOffsetsInTransaction(
        { ...request, retentionMs: -1, version: commitVersion },
        { producerId: request.producerId, producerEpoch: request.producerEpoch },
      ),
    endTransaction: (partition, producerId, isCommit) =>
      groups.endTransaction(partition, producerId, isCommit ? "commit" : "abort"),
  };
}

/** What a producer's request asks of the partition. */
export function appendTerms({ acks, timeoutMs }: AppendRequest): AppendOptions {
  return { waits: acks !== 0, acks: acks === -1 ? "all" : "leader", timeoutMs };
}

export function isTransactional(batch: Uint8Array): boolean {
  return batch.length >= batchHeaderBytes && (batch[attributesLowByteAt]! & transactionalBit) !== 0;
}

/** Appends a producer's batch that belongs to a transaction, once the coordinator knows of it. */
export function appendInTransaction(
  coordinator: Pick<Coordinator, "admit">,
  partition: Partition,
  request: AppendRequest,
): Appended | Promise<Appended> {
  const { batch } = request;
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
  const producerId = Number(view.getBigInt64(producerIdAt));
  const producerEpoch = view.getInt16(producerEpochAt);
  const options = { ...appendTerms(request), isVerified: true };
  const { producers } = partition.log;
  if (producers.isInTransaction(producerId, producerEpoch)) return partition.append(batch, options);
  const mayAdd = request.joinsTransaction ?? false;
  const { transactionalId } = request;
  const baseSequence = view.getInt32(baseSequenceAt);
  // The batch lies in a buffer that is used again before the coordinator has answered, or in the core's memory,
  // which may move when the coordinator encodes a state.
  const own = batch.slice();
  const append = () => {
    const isFirst = !producers.isInTransaction(producerId, producerEpoch);
    if (mayAdd && isFirst && baseSequence !== 0) throw notTheFirst(producerId, baseSequence);
    return partition.append(own, options);
  };
  const producer = { transactionalId, producerId, producerEpoch };
  const admitted = admit(coordinator, producer, request, mayAdd);
  return admitted === undefined ? append() : admitted.then(append);
}

/** Protocol V2 has an epoch for each transaction: what comes first begins at 0, or something was refused before it. */
function notTheFirst(producerId: number, baseSequence: number): BrokerError {
  return new BrokerError(
    "OUT_OF_ORDER_SEQUENCE_NUMBER",
    `producer ${producerId} began a transaction with sequence ${baseSequence}, expected 0`,
  );
}

function admit(
  coordinator: Pick<Coordinator, "admit">,
  producer: Parameters<Coordinator["admit"]>[0],
  { topic, partition }: AppendRequest,
  mayAdd: boolean,
): undefined | Promise<void> {
  try {
    return coordinator
      .admit(producer, { topic, partition }, { mayAdd })
      ?.catch((error) => Promise.reject(asProduceError(error)));
  } catch (error) {
    throw asProduceError(error);
  }
}

/** Producers know other errors than those who ask the coordinator. */
function asProduceError(error: unknown): unknown {
  if (!(error instanceof BrokerError)) return error;
  const { code, message } = error;
  if (code === "PRODUCER_FENCED") {
    return new BrokerError("INVALID_PRODUCER_EPOCH", message, { cause: error });
  }
  if (passing.has(code)) {
    return new BrokerError("NOT_ENOUGH_REPLICAS", message, { cause: error });
  }
  return error;
}

/** The coordinator moves, or is being asked again soon: the producer sends the batch again. */
const passing: ReadonlySet<string> = new Set([
  "COORDINATOR_LOAD_IN_PROGRESS",
  "COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR",
  "BROKER_NOT_AVAILABLE",
]);
