// __transaction_state as the coordinator's memory: which partition an id lives in, reading all of it at start,
// and adding one state at a time. Knows records, not what they mean.

import { BatchFault, type Core } from "../../storage-wasm/core.ts";
import { decompressor } from "../compression/codecs.ts";
import { coordinatorPartition } from "../coordinator-partition.ts";
import { BrokerError } from "../errors.ts";
import type { Partition } from "../log/partition.ts";
import type { Clock, Codecs } from "../platform.ts";
import { collect } from "../records.ts";
import type { Transaction } from "./transaction.ts";
import { decodeKey, decodeValue, encodeKey, encodeValue } from "./transaction-records.ts";

/** Bytes read at once while loading. */
const loadBytesMax = 1024 * 1024;
const rowsMax = 1024;
/** Bytes of one state at most, once decompressed. */
const decompressedBytesMax = 64 * 1024 * 1024;

export interface StateLogHost {
  readonly core: Core;
  readonly codecs: Codecs;
  readonly clock: Clock;
  /** Partitions of __transaction_state; 0 while there is no such topic. */
  statePartitionCount(): number;
  /** Throws `BrokerError` where this broker does not lead it. */
  statePartition(index: number): Partition;
}

export class StateLog {
  readonly #host: StateLogHost;

  constructor(host: StateLogHost) {
    this.#host = host;
  }

  get partitionCount(): number {
    return this.#host.statePartitionCount();
  }

  /** -1 while there is no topic. */
  partitionOf(transactionalId: string): number {
    const count = this.partitionCount;
    return count === 0 ? -1 : coordinatorPartition(transactionalId, count);
  }

  /** Under which leadership this broker has the partition; undefined: it does not lead it. */
  led(index: number): { readonly leaderEpoch: number; readonly isEmpty: boolean } | undefined {
    try {
      const { leaderEpoch, log } = this.#host.statePartition(index);
      return { leaderEpoch, isEmpty: log.endOffset === log.startOffset };
    } catch (error) {
      if (error instanceof BrokerError) return undefined;
      throw error;
    }
  }

  /** Leader epoch of the id's partition: it fences the markers of older coordinators. */
  coordinatorEpoch(transactionalId: string): number {
    return this.#partition(transactionalId).leaderEpoch;
  }

  /** Resolves, or returns, when the state is durable. */
  write(state: Transaction): void | Promise<void> {
    return this.#append(state.transactionalId, encodeValue(state));
  }

  remove(transactionalId: string): void | Promise<void> {
    return this.#append(transactionalId, null);
  }

  /**
   * The newest state of every id of a partition, in any order; records that cannot be read are reported and left out.
   * Also what a new leader does not know to be on all replicas: it may have been acknowledged.
   */
  async load(
    index: number,
    report: (error: unknown, where: string) => void,
    isStopped: () => boolean,
  ): Promise<Map<string, Transaction>> {
    const states = new Map<string, Transaction>();
    const partition = this.#host.statePartition(index);
    const where = `${partition.topic}-${partition.partition}`;
    const { endOffset } = partition.log;
    let offset = partition.log.startOffset;
    while (offset < endOffset && !isStopped()) {
      const read = { offset, bytesMax: loadBytesMax, atLeastOneBatch: true };
      const bytes = await collect(partition.readAsReplica(read));
      const next = this.#apply(bytes, states, (error) => report(error, where));
      if (next <= offset) {
        report(new Error("batches end early"), where);
        break;
      }
      offset = next;
    }
    return states;
  }

  /** Takes in whole batches; returns the offset after the last. */
  #apply(
    bytes: Uint8Array,
    states: Map<string, Transaction>,
    report: (error: unknown) => void,
  ): number {
    const { core, codecs } = this.#host;
    const decompress = decompressor(codecs, decompressedBytesMax);
    const batches: { at: number; bytes: number; isControl: boolean }[] = [];
    let nextOffset = -1;
    for (let at = 0; at < bytes.length; ) {
      const rest = bytes.subarray(at);
      const scan = core.scan(core.place(rest), rest.length, { verifyCrc: false, rowsMax });
      for (let i = 0; i < scan.rows; i++) {
        const position = at + core.row(i);
        batches.push({ at: position, bytes: core.header.bytes, isControl: core.header.isControl });
        nextOffset = core.header.lastOffset + 1;
      }
      if (scan.validBytes === 0 || scan.fault !== BatchFault.none) break;
      at += scan.validBytes;
    }
    for (const batch of batches) {
      if (batch.isControl) continue;
      for (const { key, value } of core.decode(
        bytes.subarray(batch.at, batch.at + batch.bytes),
        decompress,
      )) {
        applyRecord(states, key, value, report);
      }
    }
    return nextOffset;
  }

  #append(transactionalId: string, value: Uint8Array | null): void | Promise<void> {
    const { core, clock } = this.#host;
    const key = encodeKey(transactionalId);
    const batch = core.encode([{ key, value, timestampMs: clock.nowMs() }], { compression: null });
    try {
      const appended = this.#partition(transactionalId).append(batch, { waits: true });
      if (!(appended instanceof Promise)) return;
      return appended.then(noValue, (cause) => Promise.reject(unavailable(cause)));
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  #partition(transactionalId: string): Partition {
    const index = this.partitionOf(transactionalId);
    if (index >= 0) return this.#host.statePartition(index);
    throw new BrokerError("COORDINATOR_NOT_AVAILABLE", "there is no __transaction_state yet");
  }
}

function applyRecord(
  states: Map<string, Transaction>,
  key: Uint8Array | null,
  value: Uint8Array | null,
  report: (error: unknown) => void,
): void {
  const transactionalId = key === null ? undefined : decodeKey(key);
  if (transactionalId === undefined) return;
  if (value === null) {
    states.delete(transactionalId);
    return;
  }
  try {
    states.set(transactionalId, decodeValue(transactionalId, value));
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    report(error);
  }
}

/** Clients look for the coordinator again, rather than give up as for a fault of their own partition. */
function unavailable(cause: unknown): unknown {
  if (!(cause instanceof BrokerError)) return cause;
  const hasMoved = cause.code === "NOT_LEADER_OR_FOLLOWER";
  const code = hasMoved ? "NOT_COORDINATOR" : "COORDINATOR_NOT_AVAILABLE";
  return new BrokerError(code, cause.message, { cause });
}

function noValue(): void {}
