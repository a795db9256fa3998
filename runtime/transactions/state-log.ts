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

/** A load that takes longer says how far it is, this often. */
const progressEveryMs = 2_000;

export interface LoadProgress {
  readonly partitions: number;
  readonly done: number;
}

export interface LoadReports {
  /** Records that cannot be read. */
  failed(error: unknown, where: string): void;
  progress(progress: LoadProgress): void;
}

export interface StateLogHost {
  readonly core: Core;
  readonly codecs: Codecs;
  readonly clock: Clock;
  /** Partitions of __transaction_state in order; undefined while there is no such topic. */
  statePartitions(): readonly Partition[] | undefined;
}

export class StateLog {
  readonly #host: StateLogHost;

  constructor(host: StateLogHost) {
    this.#host = host;
  }

  get exists(): boolean {
    return this.#host.statePartitions() !== undefined;
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

  /** The newest state of every id, in any order; records that cannot be read are reported and left out. */
  async load(reports: LoadReports): Promise<Map<string, Transaction>> {
    const { clock } = this.#host;
    const states = new Map<string, Transaction>();
    const partitions = this.#host.statePartitions() ?? [];
    let saidMs = clock.monotonicMs();
    for (const [done, partition] of partitions.entries()) {
      if (partition.highWatermark === partition.log.startOffset) continue;
      if (clock.monotonicMs() - saidMs >= progressEveryMs) {
        saidMs = clock.monotonicMs();
        reports.progress({ done, partitions: partitions.length });
      }
      await this.#loadPartition(partition, states, reports.failed);
    }
    return states;
  }

  async #loadPartition(
    partition: Partition,
    states: Map<string, Transaction>,
    report: (error: unknown, where: string) => void,
  ): Promise<void> {
    const where = `${partition.topic}-${partition.partition}`;
    let offset = partition.log.startOffset;
    while (offset < partition.highWatermark) {
      const records = partition.read({ offset, bytesMax: loadBytesMax, atLeastOneBatch: true });
      const bytes = await collect(records);
      const next = this.#apply(bytes, states, (error) => report(error, where));
      if (next <= offset) return report(new Error("batches end early"), where);
      offset = next;
    }
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
    const partitions = this.#host.statePartitions();
    const partition = partitions?.[coordinatorPartition(transactionalId, partitions.length)];
    if (partition !== undefined) return partition;
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
  return new BrokerError("COORDINATOR_NOT_AVAILABLE", cause.message, { cause });
}

function noValue(): void {}
