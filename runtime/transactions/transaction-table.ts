// The transactional ids a coordinator knows: by id and by producer id, each with its state and the requests that
// wait for it. Memory only; `coordinator.ts` persists a state before it is set here.

import type { Transaction } from "./transaction.ts";

/** One transactional id. */
export class Slot {
  #state: Transaction;
  /** Resolves when the markers of the transaction that is ending are written. */
  ending: Promise<void> | undefined;
  readonly #table: TransactionTable;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(table: TransactionTable, state: Transaction) {
    this.#table = table;
    this.#state = state;
  }

  get state(): Transaction {
    return this.#state;
  }

  set state(state: Transaction) {
    const { producerId } = this.#state;
    this.#state = state;
    this.#table.renamed(this, producerId);
  }

  /** Runs it after what is under way for this id. */
  exclusive<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(run, run);
    this.#tail = result.catch(() => {});
    return result;
  }
}

export class TransactionTable {
  readonly #byId = new Map<string, Slot>();
  readonly #byProducer = new Map<number, Slot>();

  get(transactionalId: string): Slot | undefined {
    return this.#byId.get(transactionalId);
  }

  byProducer(producerId: number): Slot | undefined {
    return this.#byProducer.get(producerId);
  }

  all(): Iterable<Slot> {
    return this.#byId.values();
  }

  add(state: Transaction): Slot {
    const slot = new Slot(this, state);
    this.#byId.set(state.transactionalId, slot);
    this.#byProducer.set(state.producerId, slot);
    return slot;
  }

  remove(slot: Slot): void {
    const { transactionalId, producerId } = slot.state;
    this.#byId.delete(transactionalId);
    this.#byProducer.delete(producerId);
  }

  holds(slot: Slot): boolean {
    return this.#byId.get(slot.state.transactionalId) === slot;
  }

  /** The slot's producer id was `producerId`. Called by the slot only. */
  renamed(slot: Slot, producerId: number): void {
    if (slot.state.producerId === producerId || !this.holds(slot)) return;
    this.#byProducer.delete(producerId);
    this.#byProducer.set(slot.state.producerId, slot);
  }
}
