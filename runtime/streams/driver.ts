// drive(): a topology record by record, without a broker and with time in the test's hand. The tasks are the real ones;
// topics are lists, and the seed decides which of several partitions goes on first.

import { partitionForKey } from "../partitioner.ts";
import { type Codec, encodeKey } from "./codec.ts";
import { StreamsError } from "./error.ts";
import type { ErrorPolicies, Incoming, Outgoing } from "./failure.ts";
import type { Topic } from "./graph.ts";
import { changelogTopic, type Plan } from "./plan.ts";
import { MemoryStore, textOf } from "./store.ts";
import { Task, type TaskCounts } from "./task.ts";
import type { Topology } from "./topology.ts";
import type { Windowed } from "./window.ts";

export interface DriverOptions {
  /** Where the wall clock stands, ms since 1970; `advance` moves it. */
  readonly startMs: number;
  /** Which of several waiting partitions goes on first. */
  readonly seed: number;
  /** Of every topic, 1. */
  readonly partitions?: number;
  readonly onError?: ErrorPolicies;
  /** 30 s. */
  readonly idleAfterMs?: number;
}

export interface DrivenRecord<K, V> {
  readonly key: K;
  readonly value: V;
  /** By default what the driver's clock says. */
  readonly timestampMs?: number;
  /** By key if absent. */
  readonly partition?: number;
}

export interface ReadRecord<K, V> {
  readonly key: K;
  /** null: a deletion. */
  readonly value: V | null;
  readonly timestampMs: number;
  readonly partition: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Driver {
  /** A record, and all that comes of it. Throws what stops the application. */
  pipe<K, V>(topic: Topic<K, V>, record: DrivenRecord<K, V>): void;
  /** As `pipe`, with bytes that need not be what the topic's codecs write. */
  pipeBytes(topic: string, record: DrivenRecord<Uint8Array | null, Uint8Array | null>): void;
  /** The wall clock goes on. */
  advance(ms: number): void;
  /** What was written to a topic since the last call. */
  read<K, V>(topic: Topic<K, V>): ReadRecord<K, V>[];
  /** The value of a key in a table. */
  get<K, V>(table: string, key: K, codecs: { key: Codec<K>; value: Codec<V> }): V | undefined;
  /** The open windows of a windowed table, by partition and key. */
  windows<K, V>(table: string, codecs: { key: Codec<K>; value: Codec<V> }): [Windowed<K>, V][];
  /** All tasks end and begin again, with what their changelogs say. */
  restart(): void;
  readonly counts: TaskCounts;
}

const idleAfterMsDefault = 30_000;

export function drive(topology: Topology, options: DriverOptions): Driver {
  return new TopologyDriver(topology.plan(), options);
}

class TopologyDriver implements Driver {
  readonly #plan: Plan;
  readonly #options: DriverOptions;
  readonly #partitions: number;
  readonly #waiting: Incoming[][];
  readonly #written = new Map<string, Incoming[]>();
  readonly #offsets = new Map<string, number>();
  /** By changelog and partition: the last value of each key, as compaction leaves it. */
  readonly #changelogs = new Map<string, Map<string, Outgoing>>();
  #tasks: Task[] = [];
  #nowMs: number;
  #seed: number;

  constructor(plan: Plan, options: DriverOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#partitions = options.partitions ?? 1;
    this.#nowMs = options.startMs;
    this.#seed = options.seed >>> 0;
    if (!Number.isSafeInteger(this.#partitions) || this.#partitions < 1) {
      throw new StreamsError("INVALID_OPTION", "partitions must be a whole number from 1 up.");
    }
    this.#waiting = Array.from({ length: this.#partitions }, () => []);
    this.restart();
  }

  get counts(): TaskCounts {
    const sum: TaskCounts = { processed: 0, late: 0, skipped: 0, deadLettered: 0 };
    for (const { counts } of this.#tasks) {
      sum.processed += counts.processed;
      sum.late += counts.late;
      sum.skipped += counts.skipped;
      sum.deadLettered += counts.deadLettered;
    }
    return sum;
  }

  pipe<K, V>(topic: Topic<K, V>, { key, value, ...place }: DrivenRecord<K, V>): void {
    const bytes = {
      key: encodeKey(topic.key as Codec<unknown>, key),
      value: value === null ? null : topic.value.encode(value),
    };
    this.pipeBytes(topic.name, { ...bytes, ...place });
  }

  pipeBytes(topic: string, record: DrivenRecord<Uint8Array | null, Uint8Array | null>): void {
    const { key, value, timestampMs = this.#nowMs, partition } = record;
    const place = partition === undefined ? {} : { partition };
    this.#write({ topic, key, value, timestampMs, headers: [], ...place });
    this.#work();
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const task of this.#tasks) this.#ran(task, () => task.tick());
    this.#work();
  }

  read<K, V>(topic: Topic<K, V>): ReadRecord<K, V>[] {
    const records = this.#written.get(topic.name) ?? [];
    this.#written.delete(topic.name);
    const decoder = new TextDecoder();
    return records.map(({ key, value, timestampMs, partition, headers }) => ({
      key: (key === null ? null : topic.key.decode(key)) as K,
      value: value === null ? null : topic.value.decode(value),
      timestampMs,
      partition,
      headers: Object.fromEntries(
        headers.map((each) => [each.key, decoder.decode(each.value ?? new Uint8Array())]),
      ),
    }));
  }

  get<K, V>(table: string, key: K, codecs: { key: Codec<K>; value: Codec<V> }): V | undefined {
    const bytes = codecs.key.encode(key);
    for (const task of this.#tasks) {
      const found = task.valueOf(table, bytes);
      if (found !== undefined) return codecs.value.decode(found);
    }
    return undefined;
  }

  windows<K, V>(table: string, codecs: { key: Codec<K>; value: Codec<V> }): [Windowed<K>, V][] {
    return this.#tasks.flatMap((task) =>
      task
        .windowsOf(table)
        .map(({ key, span, value }): [Windowed<K>, V] => [
          { key: codecs.key.decode(key), ...span },
          codecs.value.decode(value),
        ]),
    );
  }

  restart(): void {
    this.#tasks = this.#plan.subtopologies.flatMap((subtopology) =>
      Array.from({ length: this.#partitions }, (_, partition) => {
        const task = new Task({
          plan: this.#plan,
          subtopology,
          partition,
          policies: this.#options.onError ?? "fail",
          idleAfterMs: this.#options.idleAfterMs ?? idleAfterMsDefault,
          nowMs: () => this.#nowMs,
          makeStore: () => new MemoryStore(),
        });
        for (const { name, ...spec } of subtopology.stores) {
          const topic = changelogTopic(this.#plan.id, { name, ...spec });
          const records = this.#changelogs.get(`${topic}-${partition}`)?.values() ?? [];
          for (const { key, value } of records) task.restore(name, key!, value);
        }
        task.restored();
        return task;
      }),
    );
  }

  /** Until nothing waits. */
  #work(): void {
    for (;;) {
      const busy = this.#waiting.filter((records) => records.length > 0);
      if (busy.length === 0) return;
      const record = busy[this.#draw(busy.length)]!.shift()!;
      this.#plan.subtopologies.forEach((subtopology, index) => {
        if (!subtopology.inputs.some(({ topic }) => topic === record.topic)) return;
        const task = this.#tasks[index * this.#partitions + record.partition]!;
        this.#ran(task, () => task.accept(record));
      });
    }
  }

  /** Lets a task work, and takes what came of it. */
  #ran(task: Task, run: () => void): void {
    run();
    for (const record of task.takeOutgoing()) this.#write(record);
    for (const record of task.takeChanges()) {
      const name = `${record.topic}-${record.partition}`;
      const changelog = this.#changelogs.get(name) ?? new Map<string, Outgoing>();
      this.#changelogs.set(name, changelog.set(textOf(record.key!), record));
    }
  }

  #write({ topic, key, value, timestampMs, headers, partition }: Outgoing): void {
    const chosen = partition ?? (key === null ? 0 : partitionForKey(key, this.#partitions));
    const place = `${topic}-${chosen}`;
    const offset = this.#offsets.get(place) ?? 0;
    this.#offsets.set(place, offset + 1);
    const record = { topic, partition: chosen, offset, timestampMs, key, value, headers };
    const isRead = this.#plan.subtopologies.some(({ inputs }) =>
      inputs.some((input) => input.topic === topic),
    );
    if (isRead) this.#waiting[chosen]!.push(record);
    const written = this.#written.get(topic) ?? [];
    written.push(record);
    this.#written.set(topic, written);
  }

  /** xorshift32: the same seed, the same order. */
  #draw(below: number): number {
    let state = this.#seed === 0 ? 1 : this.#seed;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#seed = state >>> 0;
    return this.#seed % below;
  }
}
