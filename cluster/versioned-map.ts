// VersionedMap: a read-only map whose changed copies share what did not change. A view that someone holds stays
// as it was, and 10,000 topics can be created one by one without copying 10,000 entries each time.

/** Changes kept beside the shared base before they are folded into a new one. */
const RECENT_MAX = 64;

/** `undefined` in `recent` marks a removed key. */
export class VersionedMap<K, V extends object> implements ReadonlyMap<K, V> {
  readonly size: number;
  readonly #base: ReadonlyMap<K, V>;
  readonly #recent: ReadonlyMap<K, V | undefined>;

  private constructor(
    base: ReadonlyMap<K, V>,
    recent: ReadonlyMap<K, V | undefined>,
    size: number,
  ) {
    this.#base = base;
    this.#recent = recent;
    this.size = size;
  }

  /** Takes the map over: the caller must not change it any more. */
  static of<K, V extends object>(map: ReadonlyMap<K, V> = new Map()): VersionedMap<K, V> {
    return new VersionedMap(map, new Map(), map.size);
  }

  get(key: K): V | undefined {
    if (this.#recent.size > 0 && this.#recent.has(key)) return this.#recent.get(key);
    return this.#base.get(key);
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  /** A copy with the key set. */
  with(key: K, value: V): VersionedMap<K, V> {
    return this.#changed(key, value, this.size + (this.has(key) ? 0 : 1));
  }

  /** A copy without the key. */
  without(key: K): VersionedMap<K, V> {
    return this.has(key) ? this.#changed(key, undefined, this.size - 1) : this;
  }

  *entries(): Generator<[K, V], undefined> {
    for (const [key, value] of this.#base) {
      if (!this.#recent.has(key)) yield [key, value];
    }
    for (const [key, value] of this.#recent) {
      if (value !== undefined) yield [key, value];
    }
    return undefined;
  }

  *keys(): Generator<K, undefined> {
    for (const [key] of this.entries()) yield key;
    return undefined;
  }

  *values(): Generator<V, undefined> {
    for (const [, value] of this.entries()) yield value;
    return undefined;
  }

  [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.entries();
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this);
  }

  #changed(key: K, value: V | undefined, size: number): VersionedMap<K, V> {
    const recent = new Map(this.#recent);
    recent.delete(key);
    recent.set(key, value);
    const next = new VersionedMap(this.#base, recent, size);
    return recent.size <= RECENT_MAX ? next : VersionedMap.of(new Map(next.entries()));
  }
}
