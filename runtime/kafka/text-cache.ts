// UTF-8 to string for the short names that every request repeats (client ids, topics, groups). A direct-mapped
// cache gives the same string object again: no decoder call, and its hash is already computed for Map lookups.
// Bounded: `slots` entries of at most `cachedBytesMax` bytes; a stranger can only overwrite entries.

const slots = 1024;
const cachedBytesMax = 64;

interface Entry {
  readonly bytes: Uint8Array;
  readonly text: string;
}

const entries: (Entry | undefined)[] = new Array(slots).fill(undefined);
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function decodeText(bytes: Uint8Array, at: number, end: number): string {
  const length = end - at;
  if (length === 0) return "";
  if (length > cachedBytesMax) return decoder.decode(bytes.subarray(at, end));
  const slot = hash(bytes, at, end) & (slots - 1);
  const entry = entries[slot];
  if (entry !== undefined && equal(entry.bytes, bytes, at, length)) return entry.text;
  const own = bytes.slice(at, end);
  const text = decoder.decode(own);
  entries[slot] = { bytes: own, text };
  return text;
}

function hash(bytes: Uint8Array, at: number, end: number): number {
  let value = 0x811c9dc5;
  for (let i = at; i < end; i++) value = Math.imul(value ^ bytes[i]!, 0x01000193);
  return value ^ (value >>> 15);
}

function equal(cached: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (cached.length !== length) return false;
  for (let i = 0; i < length; i++) if (cached[i] !== bytes[at + i]) return false;
  return true;
}
