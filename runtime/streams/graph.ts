// The graph behind a topology: nodes as data, untyped, which `topology.ts` makes under types, `plan.ts` checks and
// cuts into tasks, and `task.ts` runs.

import type { ConsumedHeader } from "../client/api.ts";
import type { Codec } from "./codec.ts";
import type { Window } from "./window.ts";

export interface Topic<K, V> {
  readonly name: string;
  readonly key: Codec<K>;
  readonly value: Codec<V>;
  /** Event time of a record, ms; by default its timestamp. */
  time?(value: V, timestampMs: number): number;
}

/** What a function of a topology may know of the record besides its value. */
export interface RecordContext<K> {
  readonly key: K;
  /** Event time, ms. */
  readonly timestampMs: number;
  readonly headers: readonly ConsumedHeader[];
}

/** A record on its way through a task. */
export interface Entry extends RecordContext<unknown> {
  readonly value: unknown;
}

/** State that outlives the process: its changes go to a compacted topic. */
export interface StoreSpec {
  readonly name: string;
  readonly key: Codec<unknown>;
  readonly value: Codec<unknown>;
  readonly window: Window | null;
}

interface NodeBase {
  /** Unique among named ones; says where an error came from. */
  readonly name: string;
  readonly children: Node[];
}

export interface SourceNode extends NodeBase {
  readonly kind: "source";
  readonly topic: Topic<unknown, unknown>;
}

/** A topic of which the last value of each key counts. */
export interface TableNode extends NodeBase {
  readonly kind: "table";
  readonly topic: Topic<unknown, unknown>;
  readonly store: StoreSpec;
}

export interface StepNode extends NodeBase {
  readonly kind: "step";
  run(entry: Entry, emit: (value: unknown) => void): void;
}

export interface KeyByNode extends NodeBase {
  readonly kind: "keyBy";
  key(value: unknown, context: RecordContext<unknown>): unknown;
  readonly keyCodec: Codec<unknown>;
  readonly valueCodec: Codec<unknown> | null;
  /** Something behind it keeps state by the new key: records go through a topic, to whom the key belongs. */
  isRepartitioned: boolean;
}

export interface Aggregation {
  init(): unknown;
  add(aggregate: unknown, value: unknown, key: unknown): unknown;
  /** Of two sessions that become one, the earlier first. */
  merge: ((a: unknown, b: unknown) => unknown) | null;
}

export interface AggregateNode extends NodeBase, Aggregation {
  readonly kind: "aggregate";
  readonly store: StoreSpec;
  /** Each update, or one result when the window closes. */
  emits: "each" | "on-close";
}

export interface JoinNode extends NodeBase {
  readonly kind: "join";
  readonly table: TableNode | AggregateNode;
  /** Records without a match go on too. */
  readonly isLeft: boolean;
  /** Which codec the stream's keys have; null: none is known. */
  readonly keyCodec: Codec<unknown> | null;
  join(value: unknown, other: unknown, context: RecordContext<unknown>): unknown;
}

export interface SinkNode extends NodeBase {
  readonly kind: "sink";
  readonly topic: Topic<unknown, unknown>;
}

export type Node =
  | SourceNode
  | TableNode
  | StepNode
  | KeyByNode
  | AggregateNode
  | JoinNode
  | SinkNode;

/** The store a node owns. */
export function storeOf(node: Node): StoreSpec | null {
  return node.kind === "table" || node.kind === "aggregate" ? node.store : null;
}
