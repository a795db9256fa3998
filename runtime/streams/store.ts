// Store: where a task keeps state, as bytes by bytes, synchronous; and the one in memory. It keeps its keys in order
// in chunks, so that an insert moves hundreds of them, not all.

export interface StoreEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Bytes that are handed over are the store's: nobody changes them afterwards. */
export interface Store {
  get(key: Uint8Array): Uint8Array | undefined;
  put(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): void;
  /** Entries whose key begins with `prefix`, in the order of the bytes. The store must not change meanwhile. */
  range(prefix: Uint8Array): Iterable<StoreEntry>;
  /** What was changed since the last commit, each key once; null: deleted. */
  commit(): readonly { readonly key: Uint8Array; readonly value: Uint8Array | null }[];
  readonly size: number;
}

const chunkKeysMax = 512;

export class MemoryStore implements Store {
  readonly #entries = new Map<string, StoreEntry>();
  readonly #changed = new Map<string, Uint8Array>();
  /** All keys in order, in chunks that are never empty. */
  readonly #chunks: string[][] = [];

  get size(): number {
    return this.#entries.size;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(textOf(key))?.value;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const text = textOf(key);
    if (!this.#entries.has(text)) this.#insert(text);
    this.#entries.set(text, { key, value });
    this.#changed.set(text, key);
  }

  delete(key: Uint8Array): void {
    const text = textOf(key);
    if (!this.#entries.delete(text)) return;
    this.#remove(text);
    this.#changed.set(text, key);
  }

  *range(prefix: Uint8Array): Iterable<StoreEntry> {
    const from = textOf(prefix);
    for (let at = this.#chunkOf(from); at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at]!;
      for (let i = placeIn(chunk, from); i < chunk.length; i++) {
        const text = chunk[i]!;
        if (!text.startsWith(from)) return;
        yield this.#entries.get(text)!;
      }
    }
  }

  commit(): { key: Uint8Array; value: Uint8Array | null }[] {
    const changes = Array.from(this.#changed, ([text, key]) => ({
      key,
      value: this.#entries.get(text)?.value ?? null,
    }));
    this.#changed.clear();
    return changes;
  }

  #insert(text: string): void {
    const at = this.#chunkOf(text);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([text]);
      return;
    }
    chunk.splice(placeIn(chunk, text), 0, text);
    if (chunk.length > chunkKeysMax)
      this.#chunks.splice(at + 1, 0, chunk.splice(chunk.length >> 1));
  }

  #remove(text: string): void {
    const at = this.#chunkOf(text);
    const chunk = this.#chunks[at]!;
    chunk.splice(placeIn(chunk, text), 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** The last chunk that begins at or before `text`; the first if there is none. */
  #chunkOf(text: string): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#chunks[middle]![0]! <= text) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Where `text` is or would be. */
function placeIn(chunk: readonly string[], text: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (chunk[middle]! < text) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A character per byte: texts compare as the bytes do. */
export function textOf(key: Uint8Array): string {
  let text = "";
  for (const byte of key) text += String.fromCharCode(byte);
  return text;
}
