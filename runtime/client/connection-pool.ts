// ConnectionPool: at most one open connection per broker address, opened on demand, with growing waits between
// failed attempts. A broker works off one connection in order, so whoever holds requests up (a consumer's long
// polls, a producer's batches) has a pool of its own.

import { BrokerConnection } from "./broker-connection.ts";
import { type Address, addressText, type Context, closedError } from "./context.ts";
import type { FrameMemory } from "./frames.ts";

/** Addresses remembered with their failures; a cluster has fewer brokers. */
const addressesMax = 10_000;

interface Slot {
  connection: BrokerConnection | null;
  opening: Promise<BrokerConnection> | null;
  /** Attempts failed in a row, and when the next may begin. */
  failures: number;
  notBeforeMs: number;
}

export class ConnectionPool {
  readonly #context: Context;
  readonly #frameMemory: FrameMemory | undefined;
  readonly #slots = new Map<string, Slot>();
  #closed = false;

  /** `frameMemory`: where answers go, instead of memory of their own. */
  constructor(context: Context, frameMemory?: FrameMemory) {
    this.#context = context;
    this.#frameMemory = frameMemory;
  }

  /** The open connection, if there is one: for callers that must not wait. */
  open(address: Address): BrokerConnection | undefined {
    return this.#slots.get(addressText(address))?.connection ?? undefined;
  }

  /** An open connection; one attempt is made, after the wait its predecessors' failures impose. */
  to(address: Address): Promise<BrokerConnection> {
    const slot = this.#slot(address);
    if (slot.connection !== null) return Promise.resolve(slot.connection);
    slot.opening ??= this.#connect(address, slot).finally(() => {
      slot.opening = null;
    });
    return slot.opening;
  }

  close(): void {
    this.#closed = true;
    for (const { connection } of this.#slots.values()) connection?.close();
    this.#slots.clear();
  }

  async #connect(address: Address, slot: Slot): Promise<BrokerConnection> {
    const waitMs = slot.notBeforeMs - this.#context.nowMs();
    if (waitMs > 0) await this.#context.sleep(waitMs);
    this.#assertOpen(address);
    try {
      const closed = () => {
        slot.connection = null;
      };
      const memory = this.#frameMemory;
      const connection = await BrokerConnection.open(this.#context, address, closed, memory);
      if (this.#closed) connection.close();
      this.#assertOpen(address);
      slot.failures = 0;
      slot.notBeforeMs = 0;
      if (connection.isOpen) slot.connection = connection;
      return connection;
    } catch (error) {
      slot.failures++;
      slot.notBeforeMs = this.#context.nowMs() + this.#context.backoffMs(slot.failures);
      throw error;
    }
  }

  #assertOpen(address: Address): void {
    if (this.#closed || this.#context.closed) {
      throw closedError(`Connecting to ${addressText(address)}`);
    }
  }

  #slot(address: Address): Slot {
    const key = addressText(address);
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      if (this.#slots.size >= addressesMax) this.#slots.clear();
      slot = { connection: null, opening: null, failures: 0, notBeforeMs: 0 };
      this.#slots.set(key, slot);
    }
    return slot;
  }
}
