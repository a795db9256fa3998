// InstanceLog: one partition of the instances' topic. The last record of a key is the instance; a change is stored on
// condition that the log ends where this node has read it to, so that of two nodes that change one instance at a time,
// one finds out. Changes that wait for each other share a batch.

import { BrokerError } from "../../errors.ts";
import { busy } from "../body.ts";
import { readEntries } from "../internal-topic.ts";
import type { Door } from "../route.ts";
import { hasCode } from "./error.ts";
import { type Instance, instancesTopic } from "./instance.ts";

const attemptsMax = 32;
/** Records of others are awaited so long. */
const othersWaitMs = 100;
/** Changes in one batch. */
const batchMax = 100;
/** Changes that wait; above it, clients are told to come again. */
const waitingMax = 10_000;

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

interface Put extends Waiting<boolean> {
  readonly key: string;
  readonly seen: Instance | undefined;
  /** Null removes. Unlike any other: it says who wrote it. */
  readonly text: string | null;
}

export class InstanceLog {
  readonly #door: Door;
  readonly #partition: number;
  readonly #instances = new Map<string, Instance>();
  readonly #texts = new Map<string, string>();
  readonly #watchers = new Map<string, Set<() => void>>();
  #readers: Waiting<void>[] = [];
  #puts: Put[] = [];
  #isRunning = false;
  #end = 0;

  constructor(door: Door, partition: number) {
    this.#door = door;
    this.#partition = partition;
  }

  get size(): number {
    return this.#instances.size;
  }

  /** Resolves when what was stored before the call is known here. */
  refresh(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
      this.#run();
    });
  }

  peek(key: string): Instance | undefined {
    return this.#instances.get(key);
  }

  all(): readonly (readonly [string, Instance])[] {
    return [...this.#instances];
  }

  /** False if the instance is not `seen` any more. */
  put(key: string, seen: Instance | undefined, text: string | null): Promise<boolean> {
    if (this.#puts.length >= waitingMax)
      throw busy("too many changes of consumers wait; try again");
    return new Promise((resolve, reject) => {
      this.#puts.push({ key, seen, text, resolve, reject });
      this.#run();
    });
  }

  /** Resolves at the next change that comes to be known here, at the latest after `waitMs`. */
  changed(key: string, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const watchers = this.#watchers.get(key) ?? new Set();
      this.#watchers.set(key, watchers);
      const done = () => {
        timer.cancel();
        watchers.delete(done);
        if (watchers.size === 0) this.#watchers.delete(key);
        resolve();
      };
      const timer = this.#door.platform.clock.after(waitMs, done);
      watchers.add(done);
    });
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#work();
  }

  async #work(): Promise<void> {
    while (this.#readers.length > 0 || this.#puts.length > 0) {
      const readers = this.#readers.splice(0);
      if (readers.length > 0) await settle(readers, undefined, () => this.#readOn(0));
      const puts = this.#puts.splice(0, batchMax);
      try {
        await this.#store(puts);
      } catch (error) {
        for (const { reject } of puts) reject(error);
      }
    }
    this.#isRunning = false;
  }

  async #store(puts: readonly Put[]): Promise<void> {
    let open = puts;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const staged = new Set<string>();
      open = open.filter((put) => {
        const isFree = this.#isOpen(put) && !staged.has(put.key);
        if (isFree) staged.add(put.key);
        else put.resolve(this.#isDone(put));
        return isFree;
      });
      if (open.length === 0) return;
      if (await this.#append(open)) {
        for (const { resolve } of open) resolve(true);
        return;
      }
      await this.#readOn(othersWaitMs);
    }
    throw busy("other nodes change consumers all the time; try again");
  }

  #isOpen({ key, seen, text }: Put): boolean {
    return this.#instances.get(key) === seen && this.#texts.get(key) !== text;
  }

  /** A write whose fate nobody knew may have been stored. */
  #isDone({ key, text }: Put): boolean {
    return (this.#texts.get(key) ?? null) === text;
  }

  /** False if somebody else wrote first. */
  async #append(puts: readonly Put[]): Promise<boolean> {
    const { core, clock } = this.#door.platform;
    const encoder = new TextEncoder();
    const records = puts.map(({ key, text }) => ({
      key: encoder.encode(key),
      value: text === null ? null : encoder.encode(text),
      timestampMs: clock.nowMs(),
    }));
    const batch = core.encode(records, { compression: null });
    const timeoutMs = this.#door.config.limits.produceTimeoutMsMax;
    const place = { topic: instancesTopic, partition: this.#partition };
    try {
      const terms = { acks: -1, timeoutMs, expectedOffset: this.#end } as const;
      await this.#door.broker.append({ ...place, batch, ...terms });
    } catch (error) {
      if (hasCode(error, "OPERATION_NOT_ATTEMPTED")) return false;
      throw error;
    }
    for (const { key, text } of puts) this.#take(key, text);
    this.#end += puts.length;
    return true;
  }

  #take(key: string, text: string | null): void {
    if (text === null) {
      this.#texts.delete(key);
      this.#instances.delete(key);
    } else {
      this.#texts.set(key, text);
      this.#instances.set(key, JSON.parse(text) as Instance);
    }
    for (const done of [...(this.#watchers.get(key) ?? [])]) done();
  }

  async #readOn(waitMs: number): Promise<void> {
    for (let wait = waitMs; ; wait = 0) {
      const place = { topic: instancesTopic, partition: this.#partition, offset: this.#end };
      try {
        const { entries, nextOffset, isEnd } = await readEntries(this.#door, place, wait);
        for (const [key, text] of entries) this.#take(key, text);
        this.#end = nextOffset;
        if (isEnd) return;
      } catch (error) {
        if (!hasCode(error, "OFFSET_OUT_OF_RANGE")) throw error;
        await this.#startAnew();
      }
    }
  }

  /** The log lost records that were read, or its beginning: what it says now counts. */
  async #startAnew(): Promise<void> {
    const place = { topic: instancesTopic, partition: this.#partition } as const;
    const terms = { currentLeaderEpoch: -1, isolation: "read_uncommitted" } as const;
    const found = await this.#door.broker.listOffsets({ ...place, spec: "earliest", ...terms });
    if (found.error !== null) throw found.error;
    if (found.offset < 0) throw new BrokerError("OFFSET_NOT_AVAILABLE", "no beginning is known");
    this.#end = found.offset;
    for (const key of [...this.#instances.keys()]) this.#take(key, null);
  }
}

async function settle<T>(
  waiting: readonly Waiting<T>[],
  value: T,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    for (const { reject } of waiting) reject(error);
    return;
  }
  for (const { resolve } of waiting) resolve(value);
}
