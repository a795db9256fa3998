// topology(): what a user writes. Typed streams and tables over topics; nothing runs here, it all becomes the graph
// of `graph.ts`. What keeps state or makes a topic must be named: names made up would move when code is edited.

import { bytes, type Codec, rawKey } from "./codec.ts";
import type { Node, SourceNode, StoreSpec, TableNode, Topic } from "./graph.ts";
import { describe, type Plan, planOf } from "./plan.ts";
import { Builder, KStream, KTable } from "./stream.ts";

export interface TopicOptions<V> {
  readonly value: Codec<V>;
  /** Event time of a record, ms since 1970; by default the record's timestamp. */
  time?(value: V, timestampMs: number): number;
}

/** A topic whose records may have no key, and whose keys are bytes. */
export function topic<V>(name: string, options: TopicOptions<V>): Topic<Uint8Array | null, V>;
export function topic<K, V>(
  name: string,
  options: TopicOptions<V> & { readonly key: Codec<K> },
): Topic<K, V>;
export function topic<V>(
  name: string,
  { key, value, time }: TopicOptions<V> & { readonly key?: Codec<unknown> },
): Topic<unknown, V> {
  const raw: Codec<unknown> = { ...(bytes as Codec<unknown>), id: rawKey };
  return { name, key: key ?? raw, value, ...(time && { time }) };
}

export interface TopologyOptions {
  /** Part of the names of group and internal topics: a new version begins with state of its own. */
  readonly version: number;
}

export function topology(name: string, options: TopologyOptions): Topology {
  return new Topology(name, options.version);
}

export class Topology {
  readonly name: string;
  readonly version: number;
  readonly #nodes: Node[] = [];
  readonly #sources = new Map<string, SourceNode>();

  constructor(name: string, version: number) {
    this.name = name;
    this.version = version;
  }

  /** Every record of a topic. */
  stream<K, V>(source: Topic<K, V>): KStream<K, V> {
    let node = this.#sources.get(source.name);
    if (node === undefined) {
      node = {
        kind: "source",
        name: source.name,
        topic: source as Topic<unknown, unknown>,
        children: [],
      };
      this.#sources.set(source.name, node);
      this.#nodes.push(node);
    }
    return new KStream(new Builder(this.#nodes), node, source);
  }

  /** The last value of each key of a topic; a record without value deletes its key. */
  table<K, V>(name: string, source: Topic<K, V>): KTable<K, V> {
    const store = { name, key: source.key, value: source.value, window: null };
    const node: TableNode = {
      kind: "table",
      name,
      topic: source as Topic<unknown, unknown>,
      store: store as StoreSpec,
      children: [],
    };
    this.#nodes.push(node);
    return new KTable(new Builder(this.#nodes), node, source);
  }

  /** Checked; throws a `StreamsError` that says what is wrong. */
  plan(): Plan {
    return planOf(this.name, this.version, this.#nodes);
  }

  /** What it consists of, as text. Checks it. */
  describe(): string {
    return describe(this.plan());
  }
}
