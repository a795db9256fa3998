// Task: one subtopology at work for one partition number. Records come in, records go out, state changes; nothing here
// waits. Who runs it (`run.ts`, `driver.ts`) brings records in the order of each partition, writes what it takes from
// here, and restores state before the first record.

import { type Codec, encodeKey } from "./codec.ts";
import { entryOf } from "./entry.ts";
import {
  copyOf,
  type ErrorPolicies,
  failedError,
  type Incoming,
  letterOf,
  type Outgoing,
  policyOf,
  type Stage,
} from "./failure.ts";
import type { AggregateNode, Entry, JoinNode, KeyByNode, Node, StoreSpec } from "./graph.ts";
import {
  changelogTopic,
  type Input,
  type Plan,
  repartitionTopic,
  type Subtopology,
} from "./plan.ts";
import { State } from "./state.ts";
import type { Store } from "./store.ts";
import { Watermark } from "./watermark.ts";
import { closesAt, type Span, spansOf, touches } from "./window.ts";
import { type OpenWindow, WindowState } from "./window-state.ts";

export interface TaskOptions {
  readonly plan: Plan;
  readonly subtopology: Subtopology;
  readonly partition: number;
  readonly policies: ErrorPolicies;
  /** An input that is silent for this long no longer holds event time back, if there are others. */
  readonly idleAfterMs: number;
  /** Wall clock, ms since 1970. */
  nowMs(): number;
  makeStore(): Store;
}

export interface TaskCounts {
  processed: number;
  late: number;
  skipped: number;
  deadLettered: number;
}

export class Task {
  readonly partition: number;
  readonly counts: TaskCounts = { processed: 0, late: 0, skipped: 0, deadLettered: 0 };
  readonly #options: TaskOptions;
  readonly #inputs: ReadonlyMap<string, Input>;
  readonly #states = new Map<string, State>();
  readonly #windows = new Map<AggregateNode, WindowState>();
  readonly #watermark: Watermark;
  #outgoing: Outgoing[] = [];
  /** What is worked on, for errors. */
  #origin: Incoming | null = null;
  #stage: Stage = "decode";
  #operator = "";
  /** Event time as windows see it: while they close one by one, it goes from one to the next. */
  #timeMs = -1;

  constructor(options: TaskOptions) {
    const { subtopology, partition } = options;
    this.#options = options;
    this.partition = partition;
    this.#inputs = new Map(subtopology.inputs.map((input) => [input.topic, input]));
    const streams = subtopology.inputs.filter(({ nodes }) => nodes.some((n) => n.kind !== "table"));
    this.#watermark = new Watermark({
      inputs: streams.map(({ topic }) => topic),
      idleAfterMs: options.idleAfterMs,
      nowMs: options.nowMs(),
    });
    for (const { name } of subtopology.stores)
      this.#states.set(name, new State(options.makeStore()));
    for (const node of subtopology.nodes) {
      const window = node.kind === "aggregate" ? node.store.window : null;
      if (node.kind === "aggregate" && window !== null) {
        this.#windows.set(node, new WindowState(this.#state(node.store), window));
      }
    }
  }

  /** Event time it has reached, ms; -1: none yet. */
  get watermarkMs(): number {
    return this.#watermark.timeMs;
  }

  accept(record: Incoming): void {
    const input = this.#inputs.get(record.topic)!;
    let timeMs = -1;
    this.#try(record, () => {
      for (const node of input.nodes) {
        const entry = this.#entryOf(node, record);
        if (node.kind !== "table") timeMs = Math.max(timeMs, entry.timestampMs);
        this.#stage = "process";
        if (node.kind === "table") this.#updateTable(node.store, record, entry.value);
        this.#forward(node, entry);
      }
      this.counts.processed++;
    });
    this.#watermark.saw(record.topic, timeMs, this.#options.nowMs());
    this.#closeWindows();
  }

  /** Wall clock went on: silent inputs no longer hold the others back. */
  tick(): void {
    this.#watermark.tick(this.#options.nowMs());
    this.#closeWindows();
  }

  /** What came out since the last call. */
  takeOutgoing(): Outgoing[] {
    const taken = this.#outgoing;
    this.#outgoing = [];
    return taken;
  }

  /** What changed in the stores since the last call, for their changelogs. */
  takeChanges(): Outgoing[] {
    const { plan, subtopology, partition } = this.#options;
    const timestampMs = this.#options.nowMs();
    const marks = this.#watermark.takeChanges();
    const changes: Outgoing[] = [];
    for (const spec of subtopology.stores) {
      const state = this.#state(spec);
      if (spec.window !== null) for (const [input, timeMs] of marks) state.mark(input, timeMs);
      const topic = changelogTopic(plan.id, spec);
      for (const { key, value } of state.changes()) {
        changes.push({ topic, partition, key, value, timestampMs, headers: [] });
      }
    }
    return changes;
  }

  /** A record of a store's changelog. */
  restore(store: string, key: Uint8Array, value: Uint8Array | null): void {
    this.#states.get(store)!.restore(key, value);
  }

  /** All changelogs are read. */
  restored(): void {
    for (const state of this.#states.values()) {
      for (const [input, timeMs] of state.marks) this.#watermark.restore(input, timeMs);
      state.changes();
    }
    for (const windows of this.#windows.values()) windows.restored();
    this.#timeMs = this.#watermark.timeMs;
  }

  /** The value of a key in a store without windows, as bytes. */
  valueOf(store: string, key: Uint8Array): Uint8Array | undefined {
    return this.#states.get(store)?.get(key);
  }

  /** The open windows of a store. */
  windowsOf(store: string): OpenWindow[] {
    for (const [node, windows] of this.#windows) if (node.name === store) return windows.all();
    return [];
  }

  // ---- records ----

  /** All of what `run` does, or, if it throws, none of it. */
  #try(origin: Incoming, run: () => void): void {
    const written = this.#outgoing.length;
    this.#origin = origin;
    this.#stage = "decode";
    try {
      run();
      for (const state of this.#states.values()) state.keep();
    } catch (thrown) {
      for (const state of this.#states.values()) state.takeBack();
      this.#outgoing.length = written;
      this.#failed(origin, thrown);
    }
  }

  #failed(origin: Incoming, thrown: unknown): void {
    const failure = { origin, stage: this.#stage, operator: this.#operator, thrown };
    const policy = policyOf(this.#options.policies, failure.stage);
    if (policy === "fail") throw failedError(failure);
    if (policy === "skip") {
      this.counts.skipped++;
      return;
    }
    this.#outgoing.push(letterOf(failure, policy.deadLetter, this.#options.plan.id));
    this.counts.deadLettered++;
  }

  #entryOf(node: Input["nodes"][number], record: Incoming): Entry {
    this.#stage = "decode";
    this.#operator = node.name;
    return entryOf(node, record, this.#options.nowMs());
  }

  #forward(node: Node, entry: Entry): void {
    for (const child of node.children) this.#run(child, entry);
  }

  #run(node: Node, entry: Entry): void {
    this.#operator = node.name;
    if (node.kind === "step") {
      const { key, timestampMs, headers } = entry;
      node.run(entry, (value) => {
        this.#forward(node, { key, value, timestampMs, headers });
        this.#operator = node.name;
      });
    } else if (node.kind === "keyBy") this.#rekey(node, entry);
    else if (node.kind === "join") this.#join(node, entry);
    else if (node.kind === "sink") this.#write(node.topic.name, node.topic, entry);
    else if (node.kind === "aggregate") {
      if (node.store.window === null) this.#aggregate(node, entry);
      else if (node.store.window.kind === "session") this.#aggregateSession(node, entry);
      else this.#aggregateWindows(node, entry);
    }
  }

  #rekey(node: KeyByNode, entry: Entry): void {
    const { value, timestampMs, headers } = entry;
    const rekeyed = { key: node.key(value, entry), value, timestampMs, headers };
    if (!node.isRepartitioned) {
      this.#forward(node, rekeyed);
      return;
    }
    const codecs = { key: node.keyCodec, value: node.valueCodec! };
    this.#write(repartitionTopic(this.#options.plan.id, node), codecs, rekeyed);
  }

  #join(node: JoinNode, entry: Entry): void {
    const { store } = node.table;
    const found = this.#state(store).get(this.#encode(store.key, entry.key));
    if (found === undefined && !node.isLeft) return;
    const other = found === undefined ? undefined : store.value.decode(found);
    this.#forward(node, { ...entry, value: node.join(entry.value, other, entry) });
  }

  #write(
    topic: string,
    codecs: { readonly key: Codec<unknown>; readonly value: Codec<unknown> },
    { key, value, timestampMs, headers }: Entry,
  ): void {
    this.#stage = "encode";
    const encoded = {
      key: encodeKey(codecs.key, key),
      value: value === null ? null : codecs.value.encode(value),
    };
    this.#stage = "process";
    this.#outgoing.push({ topic, ...encoded, timestampMs, headers });
  }

  // ---- state ----

  #updateTable(spec: StoreSpec, { key, value }: Incoming, decoded: unknown): void {
    const state = this.#state(spec);
    if (decoded === null || value === null) state.delete(key!.slice());
    else state.put(key!.slice(), value.slice());
  }

  #aggregate(node: AggregateNode, entry: Entry): void {
    const { store } = node;
    const state = this.#state(store);
    const key = this.#encode(store.key, entry.key);
    const value = this.#added(node, entry, state.get(key));
    state.put(key, this.#encode(store.value, value));
    this.#forward(node, { ...entry, value });
  }

  #aggregateWindows(node: AggregateNode, entry: Entry): void {
    const { store } = node;
    const window = store.window!;
    const windows = this.#windows.get(node)!;
    const key = this.#encode(store.key, entry.key);
    let isLate = false;
    for (const span of window.kind === "aligned" ? spansOf(window, entry.timestampMs) : []) {
      if (this.#isClosed(node, span)) {
        isLate = true;
        continue;
      }
      const value = this.#added(node, entry, windows.get(key, span));
      windows.put(key, span, this.#encode(store.value, value));
      this.#update(node, entry, span, value);
    }
    if (isLate) this.#late(node);
  }

  #aggregateSession(node: AggregateNode, entry: Entry): void {
    const { store, merge } = node;
    const window = store.window!;
    if (window.kind !== "session") return;
    const windows = this.#windows.get(node)!;
    const key = this.#encode(store.key, entry.key);
    const single = { start: entry.timestampMs, end: entry.timestampMs + 1 };
    const touched = windows.of(key).filter(({ span }) => touches(window, span, single));
    const span = [single, ...touched.map((each) => each.span)].reduce((a, b) => ({
      start: Math.min(a.start, b.start),
      end: Math.max(a.end, b.end),
    }));
    if (this.#isClosed(node, span)) {
      this.#late(node);
      return;
    }
    const before = touched.map(({ value }) => store.value.decode(value));
    const all = before.length === 0 ? undefined : before.reduce((a, b) => merge!(a, b));
    const value = node.add(before.length === 0 ? node.init() : all, entry.value, entry.key);
    for (const each of touched) {
      windows.delete(key, each.span);
      if (!isSame(each.span, span)) this.#update(node, entry, each.span, null);
    }
    windows.put(key, span, this.#encode(store.value, value));
    this.#update(node, entry, span, value);
  }

  #update(
    node: AggregateNode,
    { key, timestampMs, headers }: Entry,
    span: Span,
    value: unknown,
  ): void {
    if (node.emits !== "each") return;
    this.#forward(node, { key: { key, ...span }, value, timestampMs, headers });
    this.#operator = node.name;
  }

  #isClosed(node: AggregateNode, span: Span): boolean {
    return closesAt(node.store.window!, span) + this.#lagMs(node) <= this.#timeMs;
  }

  /** Results of windows before this one come later than the records they were made of. */
  #lagMs(node: AggregateNode): number {
    return this.#options.subtopology.lagsMs.get(node) ?? 0;
  }

  #late(node: AggregateNode): void {
    this.counts.late++;
    const topic = node.store.window?.late;
    if (topic === undefined || this.#origin === null) return;
    this.#outgoing.push(copyOf(this.#origin, topic, { "timberline.operator": node.name }));
  }

  /** Windows whose time has come, in the order of time. */
  #closeWindows(): void {
    for (;;) {
      let first: { node: AggregateNode; windows: WindowState; atMs: number } | null = null;
      for (const [node, windows] of this.#windows) {
        const nextMs = windows.nextMs;
        if (nextMs === undefined) continue;
        const atMs = nextMs + this.#lagMs(node);
        if (atMs > this.watermarkMs) continue;
        if (first === null || atMs < first.atMs) first = { node, windows, atMs };
      }
      if (first === null) break;
      this.#timeMs = Math.max(this.#timeMs, first.atMs);
      this.#close(first.node, first.windows);
    }
    this.#timeMs = Math.max(this.#timeMs, this.watermarkMs);
  }

  #close(node: AggregateNode, windows: WindowState): void {
    const { key, span, value } = windows.next()!;
    const { plan, partition } = this.#options;
    const topic = changelogTopic(plan.id, node.store);
    const timestampMs = span.end - 1;
    const origin = { topic, partition, offset: -1, timestampMs, key, value, headers: [] };
    if (node.emits === "on-close") {
      this.#try(origin, () => {
        this.#operator = node.name;
        const windowKey = { key: node.store.key.decode(key), ...span };
        const entry = { key: windowKey, value: node.store.value.decode(value), timestampMs };
        this.#stage = "process";
        this.#forward(node, { ...entry, headers: [] });
      });
    }
    windows.delete(key, span);
    this.#state(node.store).keep();
  }

  #added(node: AggregateNode, entry: Entry, before: Uint8Array | undefined): unknown {
    const sum = before === undefined ? node.init() : node.store.value.decode(before);
    return node.add(sum, entry.value, entry.key);
  }

  #encode(codec: Codec<unknown>, value: unknown): Uint8Array {
    this.#stage = "encode";
    const encoded = encodeKey(codec, value)!;
    this.#stage = "process";
    return encoded;
  }

  #state(spec: StoreSpec): State {
    return this.#states.get(spec.name)!;
  }
}

function isSame(a: Span, b: Span): boolean {
  return a.start === b.start && a.end === b.end;
}
