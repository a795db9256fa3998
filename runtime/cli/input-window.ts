// InputWindow: the bytes of an input that are not used yet. Handed-out views stay true: bytes are only added
// behind them, and a full buffer is replaced, never overwritten.

const BUFFER_BYTES = 1024 * 1024;
/** A record that does not end within this is a wrong delimiter, not a record. */
export const RECORD_BYTES_MAX = 128 * 1024 * 1024;

export class InputWindow {
  bytes: Uint8Array = new Uint8Array(BUFFER_BYTES);
  /** Unused bytes are `start..end`. */
  start = 0;
  end = 0;
  isFinished = false;

  push(chunk: Uint8Array): void {
    if (this.end + chunk.length > this.bytes.length) this.#replace(chunk.length);
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** Position of `needle` at or after `from`, within what is there; -1 if absent. */
  find(needle: Uint8Array, from: number): number {
    const bytes = this.bytes;
    const first = needle[0] as number;
    for (let at = from; ; at++) {
      at = bytes.indexOf(first, at);
      if (at < 0 || at + needle.length > this.end) return -1;
      if (isAt(bytes, needle, at)) return at;
    }
  }

  #replace(extra: number): void {
    const kept = this.end - this.start;
    const size = kept * 2 + extra;
    const bytes = new Uint8Array(Math.max(BUFFER_BYTES, size));
    bytes.set(this.bytes.subarray(this.start, this.end));
    this.bytes = bytes;
    this.start = 0;
    this.end = kept;
  }
}

export function isAt(bytes: Uint8Array, needle: Uint8Array, at: number): boolean {
  for (let i = 0; i < needle.length; i++) if (bytes[at + i] !== needle[i]) return false;
  return true;
}
