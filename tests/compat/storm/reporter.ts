// Writes a member's history into its file: runs of consecutive records become one line. Used by the members that
// run JavaScript, and by the parent for those that only print.

import { closeSync, openSync, writeSync } from "node:fs";
import type { MemberEvent } from "./history.ts";

interface Run {
  readonly atMs: number;
  readonly from: number;
  to: number;
}

export class Reporter {
  readonly #file: number;
  readonly #runs = new Map<number, Run>();
  #held = "";

  constructor(path: string) {
    this.#file = openSync(path, "a");
  }

  /** Says it only if it is news. */
  holds(memberId: string, generation: number | null, partitions: readonly number[]): void {
    const sorted = [...partitions].sort((a, b) => a - b);
    const held = `${memberId} ${generation} ${sorted}`;
    if (held === this.#held) return;
    this.#held = held;
    this.flush();
    this.#write([{ kind: "holds", atMs: Date.now(), memberId, generation, partitions: sorted }]);
  }

  read(partition: number, offset: number): void {
    const run = this.#runs.get(partition);
    if (run !== undefined && run.to === offset) {
      run.to++;
      return;
    }
    if (run !== undefined) this.flush();
    this.#runs.set(partition, { atMs: Date.now(), from: offset, to: offset + 1 });
  }

  /** To be called before what was read is committed. */
  flush(): void {
    const events = Array.from(
      this.#runs,
      ([partition, { atMs, from, to }]) => ({ kind: "read", atMs, partition, from, to }) as const,
    );
    this.#runs.clear();
    this.#write(events);
  }

  told(offsets: readonly (readonly [number, number])[]): void {
    if (offsets.length > 0) this.#write([{ kind: "told", atMs: Date.now(), offsets }]);
  }

  committed(sentMs: number, offsets: readonly (readonly [number, number])[]): void {
    if (offsets.length === 0) return;
    this.#write([{ kind: "committed", atMs: Date.now(), sentMs, offsets }]);
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }

  #write(events: readonly MemberEvent[]): void {
    if (events.length === 0) return;
    writeSync(this.#file, events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  }
}
