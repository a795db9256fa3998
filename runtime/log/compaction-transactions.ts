// Transactions while a log is cleaned, batch by batch in order: what aborted ones wrote goes at once, and a marker
// goes when nothing of its transaction is left. One per pass. Pure.

import type { BatchHeader } from "../../storage-wasm/core.ts";
import { type ControlRecord, fenceProducerId } from "./control-record.ts";
import type { AbortedTransaction } from "./transaction-index.ts";

export class CompactionTransactions {
  /** By first offset, those not reached yet. */
  readonly #waiting: AbortedTransaction[];
  /** Aborted ones that have begun, and whether a batch of theirs was met. */
  readonly #aborted = new Map<number, { entry: AbortedTransaction; wasMet: boolean }>();
  readonly #committed = new Set<number>();
  /** Aborted transactions whose markers stay, for the index of the cleaned segment. Taken by its owner. */
  kept: AbortedTransaction[] = [];

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Whether this batch of data was written by a transaction that was aborted. */
  isAborted(batch: BatchHeader): boolean {
    this.#reach(batch.lastOffset);
    if (!batch.isTransactional) return false;
    const aborted = this.#aborted.get(batch.producerId);
    if (aborted === undefined) {
      this.#committed.add(batch.producerId);
      return false;
    }
    aborted.wasMet = true;
    return true;
  }

  /** Whether nothing is left of the transaction that this marker ends. */
  isEmpty(batch: BatchHeader, control: ControlRecord): boolean {
    this.#reach(batch.lastOffset);
    if (control.type === undefined || batch.producerId === fenceProducerId) return false;
    if (control.type === "commit") return !this.#committed.delete(batch.producerId);
    const aborted = this.#aborted.get(batch.producerId);
    this.#aborted.delete(batch.producerId);
    if (!aborted?.wasMet) return true;
    this.kept.push(aborted.entry);
    return false;
  }

  #reach(offset: number): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.firstOffset <= offset) {
      const entry = this.#waiting.shift()!;
      this.#aborted.set(entry.producerId, { entry, wasMet: false });
    }
  }
}
