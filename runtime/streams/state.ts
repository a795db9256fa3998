// State: one store of one task as its operators see it: entries, how far event time had come, and the way back when a
// record fails half way. Keys begin with a byte that says which of the two they are. Persisted: never renumber.

import type { Store } from "./store.ts";

const markKind = 0;
const entryKind = 1;
const integerBytes = 8;

export class State {
  readonly #store: Store;
  /** What was there before the current record; empty between records. */
  readonly #undo: { readonly key: Uint8Array; readonly value: Uint8Array | undefined }[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  get size(): number {
    return this.#store.size;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#store.get(kinded(entryKind, key));
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const own = kinded(entryKind, key);
    this.#undo.push({ key: own, value: this.#store.get(own) });
    this.#store.put(own, value);
  }

  delete(key: Uint8Array): void {
    const own = kinded(entryKind, key);
    this.#undo.push({ key: own, value: this.#store.get(own) });
    this.#store.delete(own);
  }

  /** Entries under a prefix, in order; as a list, because who asks changes them. */
  range(prefix: Uint8Array): { readonly key: Uint8Array; readonly value: Uint8Array }[] {
    return Array.from(this.#store.range(kinded(entryKind, prefix)), ({ key, value }) => ({
      key: key.subarray(1),
      value,
    }));
  }

  /** The record is done: its changes stay. */
  keep(): void {
    this.#undo.length = 0;
  }

  /** As if the record had never come. */
  takeBack(): void {
    for (let last = this.#undo.pop(); last !== undefined; last = this.#undo.pop()) {
      if (last.value === undefined) this.#store.delete(last.key);
      else this.#store.put(last.key, last.value);
    }
  }

  /** How far event time has come in each input. */
  get marks(): Map<string, number> {
    const decoder = new TextDecoder();
    const found = Array.from(this.#store.range(Uint8Array.of(markKind)));
    return new Map(
      found.map(({ key, value }) => [decoder.decode(key.subarray(1)), toInteger(value, 0)]),
    );
  }

  mark(input: string, timeMs: number): void {
    this.#store.put(kinded(markKind, new TextEncoder().encode(input)), fromIntegers(timeMs));
  }

  changes(): ReturnType<Store["commit"]> {
    return this.#store.commit();
  }

  /** An entry of the changelog, of either kind. */
  restore(key: Uint8Array, value: Uint8Array | null): void {
    if (value === null) this.#store.delete(key);
    else this.#store.put(key, value);
  }
}

export function fromIntegers(...values: readonly number[]): Uint8Array {
  const encoded = new Uint8Array(values.length * integerBytes);
  const view = new DataView(encoded.buffer);
  for (const [i, value] of values.entries()) view.setBigInt64(i * integerBytes, BigInt(value));
  return encoded;
}

export function toInteger(encoded: Uint8Array, at: number): number {
  return Number(new DataView(encoded.buffer, encoded.byteOffset).getBigInt64(at));
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function kinded(kind: number, key: Uint8Array): Uint8Array {
  const whole = new Uint8Array(key.length + 1);
  whole[0] = kind;
  whole.set(key, 1);
  return whole;
}
