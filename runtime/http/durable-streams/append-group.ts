// AppendGroup: appends to one stream that came in the same turn of the event loop: one batch, one write, one sync for all
// of them. Each was judged on the state that the ones before it leave, so they are stored together or not at all.

import type { RecordInput } from "../../../storage-wasm/core.ts";
import type { Appended } from "../../broker.ts";

export class AppendGroup {
  readonly records: RecordInput[] = [];
  /** Where the log must end for it to be stored. */
  readonly expectedOffset: number;
  /** Settles once it is known whether it was stored. */
  readonly stored: Promise<Appended>;
  /** The same, without the reason. */
  readonly done: Promise<void>;
  /** No less than its records take in a batch. */
  bytes = 0;
  appends = 0;
  isSent = false;
  readonly #undos: (() => void)[] = [];
  #resolve!: (stored: Appended) => void;
  #reject!: (error: unknown) => void;

  constructor(expectedOffset: number) {
    this.expectedOffset = expectedOffset;
    this.stored = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.done = this.stored.then(nothing, nothing);
  }

  /** `undo` takes back what was counted on; the answer is where the append ends in the log. */
  add(records: readonly RecordInput[], bytes: number, undo: () => void): number {
    for (const record of records) this.records.push(record);
    this.#undos.push(undo);
    this.bytes += bytes;
    this.appends++;
    return this.expectedOffset + this.records.length;
  }

  succeed(stored: Appended): void {
    this.#resolve(stored);
  }

  fail(error: unknown): void {
    this.#reject(error);
  }

  undo(): void {
    for (const undo of this.#undos.reverse()) undo();
    this.#undos.length = 0;
  }
}

function nothing(): void {}
