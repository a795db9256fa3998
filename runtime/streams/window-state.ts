// WindowState: aggregates by key and window in a store, and which window closes next. An entry's key is the length of
// the key (8 bytes), the key, start and end: what one key has lies together. Persisted: never change.

import { fromIntegers, joined, type State, toInteger } from "./state.ts";
import { textOf } from "./store.ts";
import { closesAt, type Span, type Window } from "./window.ts";

export interface OpenWindow {
  readonly key: Uint8Array;
  readonly span: Span;
  readonly value: Uint8Array;
}

interface Due {
  /** The watermark at which it closes. */
  readonly atMs: number;
  readonly storeKey: Uint8Array;
  /** The same as text. */
  readonly text: string;
}

const integerBytes = 8;
const spanBytes = 2 * integerBytes;

export class WindowState {
  readonly #state: State;
  readonly #window: Window;
  /** A heap by time. Windows that are gone, and repetitions, are passed over when their turn comes. */
  readonly #due: Due[] = [];
  readonly #waiting = new Set<string>();

  constructor(state: State, window: Window) {
    this.#state = state;
    this.#window = window;
  }

  get(key: Uint8Array, span: Span): Uint8Array | undefined {
    return this.#state.get(storeKey(key, span));
  }

  put(key: Uint8Array, span: Span, value: Uint8Array): void {
    const place = storeKey(key, span);
    this.#state.put(place, value);
    this.#await(place, span);
  }

  delete(key: Uint8Array, span: Span): void {
    this.#state.delete(storeKey(key, span));
  }

  /** The open windows of a key, by start. */
  of(key: Uint8Array): OpenWindow[] {
    return this.#state.range(joined(fromIntegers(key.length), key)).map(openWindow);
  }

  /** All open windows. */
  all(): OpenWindow[] {
    return this.#state.range(new Uint8Array()).map(openWindow);
  }

  /** The watermark at which the next window closes; undefined if none is open. */
  get nextMs(): number | undefined {
    for (let first = this.#due[0]; first !== undefined; first = this.#due[0]) {
      if (this.#state.get(first.storeKey) !== undefined) return first.atMs;
      this.#pop();
    }
    return undefined;
  }

  /** Takes the next window out of the queue, not out of the store. */
  next(): OpenWindow | undefined {
    if (this.nextMs === undefined) return undefined;
    const { storeKey: key } = this.#pop();
    return openWindow({ key, value: this.#state.get(key)! });
  }

  /** After the store was filled from its changelog. */
  restored(): void {
    for (const { key, value } of this.#state.range(new Uint8Array())) {
      this.#await(key, openWindow({ key, value }).span);
    }
  }

  #await(place: Uint8Array, span: Span): void {
    const text = textOf(place);
    if (this.#waiting.has(text)) return;
    this.#waiting.add(text);
    const due = { atMs: closesAt(this.#window, span), storeKey: place, text };
    let at = this.#due.push(due) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(due, this.#due[above]!)) break;
      this.#due[at] = this.#due[above]!;
      at = above;
    }
    this.#due[at] = due;
  }

  #pop(): Due {
    const first = this.#due[0]!;
    const last = this.#due.pop()!;
    this.#waiting.delete(first.text);
    const count = this.#due.length;
    if (count === 0) return first;
    let at = 0;
    for (let below = 1; below < count; below = 2 * at + 1) {
      if (below + 1 < count && isBefore(this.#due[below + 1]!, this.#due[below]!)) below++;
      if (!isBefore(this.#due[below]!, last)) break;
      this.#due[at] = this.#due[below]!;
      at = below;
    }
    this.#due[at] = last;
    return first;
  }
}

/** Of windows that close together the lower key is first, so that a restart changes no order. */
function isBefore(a: Due, b: Due): boolean {
  return a.atMs === b.atMs ? a.text < b.text : a.atMs < b.atMs;
}

function storeKey(key: Uint8Array, { start, end }: Span): Uint8Array {
  return joined(fromIntegers(key.length), key, fromIntegers(start, end));
}

function openWindow({ key, value }: { key: Uint8Array; value: Uint8Array }): OpenWindow {
  const spanAt = key.length - spanBytes;
  const span = { start: toInteger(key, spanAt), end: toInteger(key, spanAt + integerBytes) };
  return { key: key.subarray(integerBytes, spanAt), span, value };
}
