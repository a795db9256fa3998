// Streams and tables as a topology's author sees them: each step adds nodes to the graph and says what is known of the
// types behind it. Functions given here run in tasks, later and elsewhere.

import { type Codec, int, windowed } from "./codec.ts";
import type {
  AggregateNode,
  Aggregation,
  Entry,
  KeyByNode,
  Node,
  RecordContext,
  StepNode,
  StoreSpec,
  TableNode,
  Topic,
} from "./graph.ts";
import type { Window, Windowed } from "./window.ts";

/** What is known of a stream's keys and values, and whose new keys have not been seen by a topic yet. */
interface Known<K, V> {
  readonly key: Codec<K> | null;
  readonly value: Codec<V> | null;
  readonly rekeyed?: readonly KeyByNode[];
}

/** Adds to a topology's graph. Only `topology.ts` makes one. */
export class Builder {
  readonly nodes: Node[];

  constructor(nodes: Node[]) {
    this.nodes = nodes;
  }

  add<N extends Node>(parents: readonly Node[], node: N): N {
    this.nodes.push(node);
    for (const parent of parents) parent.children.push(node);
    return node;
  }

  step(parent: Node, what: string, run: StepNode["run"]): StepNode {
    return this.add([parent], { kind: "step", name: `${parent.name}.${what}`, run, children: [] });
  }
}

/** Records with keys of type K and values of type V. Steps leave the key as it is; only `keyBy` changes it. */
export class KStream<K, V> {
  readonly #builder: Builder;
  readonly #node: Node;
  readonly #known: Known<K, V>;

  constructor(builder: Builder, node: Node, known: Known<K, V>) {
    this.#builder = builder;
    this.#node = node;
    this.#known = known;
  }

  filter(test: (value: V, context: RecordContext<K>) => boolean): KStream<K, V> {
    return this.#step("filter", this.#known, (value, entry, emit) => {
      if (test(value, entry)) emit(value);
    });
  }

  /** Another value for each. `codec` is needed where the values go through a topic next (`keyBy`). */
  map<U>(to: (value: V, context: RecordContext<K>) => U, codec?: Codec<U>): KStream<K, U> {
    return this.#step("map", this.#with(codec), (value, entry, emit) => emit(to(value, entry)));
  }

  /** Any number of values for each. */
  flatMap<U>(
    to: (value: V, context: RecordContext<K>) => Iterable<U>,
    codec?: Codec<U>,
  ): KStream<K, U> {
    return this.#step("flatMap", this.#with(codec), (value, entry, emit) => {
      for (const each of to(value, entry)) emit(each);
    });
  }

  /** Looks at each. It may be seen again after a failure. */
  peek(look: (value: V, context: RecordContext<K>) => void): KStream<K, V> {
    return this.#step("peek", this.#known, (value, entry, emit) => {
      look(value, entry);
      emit(value);
    });
  }

  /** Each record goes to the first branch whose test it passes, or to `rest`. */
  branch<Name extends string>(
    tests: Readonly<Record<Name, (value: V, context: RecordContext<K>) => boolean>>,
  ): Readonly<Record<Name | "rest", KStream<K, V>>> {
    const names = Object.keys(tests) as Name[];
    const first = (value: V, entry: RecordContext<K>) =>
      names.find((name) => tests[name](value, entry)) ?? "rest";
    const branch = (wanted: Name | "rest") =>
      this.#step(`branch(${wanted})`, this.#known, (value: V, entry, emit) => {
        if (first(value, entry) === wanted) emit(value);
      });
    const branches = [...names, "rest" as const].map((name) => [name, branch(name)] as const);
    return Object.fromEntries(branches) as Record<Name | "rest", KStream<K, V>>;
  }

  /** Records of both, in the order they come in. */
  merge(other: KStream<K, V>): KStream<K, V> {
    const [a, b] = [this.#known, other.#known];
    const node = this.#builder.add([this.#node, other.#node], {
      kind: "step",
      name: `${this.#node.name}.merge`,
      run: (entry, emit) => emit(entry.value),
      children: [],
    });
    const known: Known<K, V> = {
      key: a.key?.id === b.key?.id ? a.key : null,
      value: a.value?.id === b.value?.id ? a.value : null,
      rekeyed: [...(a.rekeyed ?? []), ...(b.rekeyed ?? [])],
    };
    return new KStream(this.#builder, node, known);
  }

  /**
   * Another key for each. If something behind it keeps state by key, records go through the topic
   * `<application>-v<version>-<name>-repartition`, which `run` creates.
   */
  keyBy<L>(
    name: string,
    to: (value: V, context: RecordContext<K>) => L,
    key: Codec<L>,
  ): KStream<L, V> {
    const node: KeyByNode = this.#builder.add([this.#node], {
      kind: "keyBy",
      name,
      key: to as KeyByNode["key"],
      keyCodec: key as Codec<unknown>,
      valueCodec: this.#known.value as Codec<unknown> | null,
      isRepartitioned: false,
      children: [],
    });
    return new KStream(this.#builder, node, { key, value: this.#known.value, rekeyed: [node] });
  }

  /** Looks up the table's value as it is when the record comes; without one the record ends here. */
  join<T, U>(
    name: string,
    table: KTable<K, T>,
    join: (value: V, other: T, context: RecordContext<K>) => U,
    codec?: Codec<U>,
  ): KStream<K, U> {
    return this.#join(name, table, { isLeft: false, join, codec });
  }

  /** As `join`, but records without a match go on as well. */
  leftJoin<T, U>(
    name: string,
    table: KTable<K, T>,
    join: (value: V, other: T | undefined, context: RecordContext<K>) => U,
    codec?: Codec<U>,
  ): KStream<K, U> {
    return this.#join(name, table, { isLeft: true, join, codec });
  }

  window(window: Window): WindowedStream<K, V> {
    return new WindowedStream((name, value, how) => {
      const node = this.#aggregate(name, value, { ...how, window });
      const key = this.#known.key && windowed(this.#known.key);
      return new WindowedTable(this.#builder, node, { key, value });
    }, this.#known.value);
  }

  aggregate<A>(
    name: string,
    how: {
      readonly init: () => A;
      readonly add: (aggregate: A, value: V, key: K) => A;
      readonly value: Codec<A>;
    },
  ): KTable<K, A> {
    const { init, add, value } = how;
    return this.#table(name, value, { init, add: add as Aggregation["add"], merge: null });
  }

  count(name: string): KTable<K, number> {
    return this.#table(name, int, counting);
  }

  reduce(name: string, add: (sum: V, value: V) => V, codec?: Codec<V>): KTable<K, V> {
    return this.#table(name, codec ?? this.#known.value, reducing(add));
  }

  to(sink: Topic<K, V>): void {
    addSink(this.#builder, this.#node, sink);
  }

  #step<U>(
    what: string,
    known: Known<K, U>,
    run: (value: V, entry: RecordContext<K>, emit: (value: U) => void) => void,
  ): KStream<K, U> {
    const step: StepNode["run"] = (entry, emit) =>
      run(entry.value as V, entry as Entry & RecordContext<K>, emit);
    return new KStream(this.#builder, this.#builder.step(this.#node, what, step), known);
  }

  #with<U>(codec: Codec<U> | undefined): Known<K, U> {
    return { ...this.#known, value: codec ?? null };
  }

  #join<T, U>(
    name: string,
    table: KTable<K, T>,
    how: {
      isLeft: boolean;
      join: (value: V, other: T, context: RecordContext<K>) => U;
      codec: Codec<U> | undefined;
    },
  ): KStream<K, U> {
    this.#repartition();
    const node = this.#builder.add([this.#node], {
      kind: "join",
      name,
      table: table.node,
      isLeft: how.isLeft,
      keyCodec: this.#known.key as Codec<unknown> | null,
      join: how.join as (
        value: unknown,
        other: unknown,
        context: RecordContext<unknown>,
      ) => unknown,
      children: [],
    });
    return new KStream(this.#builder, node, { key: this.#known.key, value: how.codec ?? null });
  }

  #table<A>(name: string, value: Codec<A> | null, how: Aggregation): KTable<K, A> {
    const node = this.#aggregate(name, value, { ...how, window: null });
    return new KTable(this.#builder, node, { key: this.#known.key, value });
  }

  #aggregate(
    name: string,
    value: Codec<unknown> | null,
    { window, ...how }: Aggregation & { window: Window | null },
  ): AggregateNode {
    this.#repartition();
    const store = { name, key: this.#known.key, value, window };
    return this.#builder.add([this.#node], {
      kind: "aggregate",
      name,
      // A missing codec is what `plan` complains about.
      store: store as StoreSpec,
      ...how,
      emits: window === null ? "each" : "on-close",
      children: [],
    });
  }

  #repartition(): void {
    for (const node of this.#known.rekeyed ?? []) node.isRepartitioned = true;
  }
}

type MakeWindowed<K> = <A>(
  name: string,
  value: Codec<A> | null,
  how: Aggregation,
) => WindowedTable<K, A>;

/** Aggregates by key and window. */
export class WindowedStream<K, V> {
  readonly #make: MakeWindowed<K>;
  readonly #value: Codec<V> | null;

  constructor(make: MakeWindowed<K>, value: Codec<V> | null) {
    this.#make = make;
    this.#value = value;
  }

  /** `merge` is for sessions: what two of them have when a record between makes them one. */
  aggregate<A>(
    name: string,
    how: {
      readonly init: () => A;
      readonly add: (aggregate: A, value: V, key: K) => A;
      readonly merge?: (a: A, b: A) => A;
      readonly value: Codec<A>;
    },
  ): WindowedTable<K, A> {
    const merge = (how.merge ?? null) as Aggregation["merge"];
    return this.#make(name, how.value, {
      init: how.init,
      add: how.add as Aggregation["add"],
      merge,
    });
  }

  count(name: string): WindowedTable<K, number> {
    return this.#make(name, int, counting);
  }

  reduce(name: string, add: (sum: V, value: V) => V, codec?: Codec<V>): WindowedTable<K, V> {
    return this.#make(name, codec ?? this.#value, reducing(add));
  }
}

/** The last value of each key. */
export class KTable<K, V> {
  /** For joins. */
  readonly node: TableNode | AggregateNode;
  readonly #builder: Builder;
  readonly #known: Known<K, V>;

  constructor(builder: Builder, node: TableNode | AggregateNode, known: Known<K, V>) {
    this.#builder = builder;
    this.node = node;
    this.#known = known;
  }

  /** Its changes; null: the key was deleted. */
  toStream(): KStream<K, V | null> {
    const step = this.#builder.step(this.node, "toStream", (entry, emit) => emit(entry.value));
    return new KStream<K, V | null>(this.#builder, step, { key: this.#known.key, value: null });
  }

  /** Its changes; the deletion of a key is a record without value. */
  to(sink: Topic<K, V>): void {
    addSink(this.#builder, this.node, sink);
  }
}

/** Results by key and window. They leave the store when their window closes. */
export class WindowedTable<K, V> {
  readonly #builder: Builder;
  readonly #node: AggregateNode;
  readonly #known: Known<Windowed<K>, V>;

  constructor(builder: Builder, node: AggregateNode, known: Known<Windowed<K>, V>) {
    this.#builder = builder;
    this.#node = node;
    this.#known = known;
  }

  /** "on-close" (default): one result for each window, when it is final; "each": every change of it. */
  emit(when: "each" | "on-close"): this {
    this.#node.emits = when;
    return this;
  }

  /** With "each" and sessions, null takes back what another session has swallowed. */
  toStream(): KStream<Windowed<K>, V | null> {
    const step = this.#builder.step(this.#node, "toStream", (entry, emit) => emit(entry.value));
    return new KStream<Windowed<K>, V | null>(this.#builder, step, {
      key: this.#known.key,
      value: null,
    });
  }

  /** Keys are written with `windowed(…)`. */
  to(sink: Topic<Windowed<K>, V>): void {
    addSink(this.#builder, this.#node, sink);
  }
}

const counting: Aggregation = {
  init: () => 0,
  add: (count) => (count as number) + 1,
  merge: (a, b) => (a as number) + (b as number),
};

function reducing<V>(add: (sum: V, value: V) => V): Aggregation {
  const sum = (a: unknown, b: unknown) => (a === undefined ? b : add(a as V, b as V));
  return { init: () => undefined, add: sum, merge: sum };
}

function addSink<K, V>(builder: Builder, parent: Node, sink: Topic<K, V>): void {
  builder.add([parent], {
    kind: "sink",
    name: sink.name,
    topic: sink as Topic<unknown, unknown>,
    children: [],
  });
}
