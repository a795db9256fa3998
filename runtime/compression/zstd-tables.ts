// The constants of Zstandard (RFC 8878) and its finite state entropy tables, for reading and for writing.
// Only the zstd files beside import it.

/** Baseline and extra bits of each literal length code. */
export const literalLengths = codes([
  ...Array.from({ length: 16 }, () => 0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
]);
/** Same of each match length code; the shortest match is 3. */
export const matchLengths = codes(
  [
    ...Array.from({ length: 32 }, () => 0),
    ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
  ],
  3,
);
/** The offset code is itself the number of extra bits; more could not point inside any output. */
export const offsetCodeMax = 30;

function codes(bits: number[], first = 0): { bits: Uint8Array; base: Int32Array } {
  const base = new Int32Array(bits.length);
  let next = first;
  for (const [code, extra] of bits.entries()) {
    base[code] = next;
    next += 2 ** extra;
  }
  return { bits: Uint8Array.from(bits), base };
}

/** Shares of each symbol in a table of 2^log states; -1 is "less than one". */
export interface Distribution {
  readonly log: number;
  readonly counts: readonly number[];
}

export interface SequenceTables<T> {
  readonly literalLength: T;
  readonly offset: T;
  readonly matchLength: T;
}

const ones = (length: number): number[] => Array.from({ length }, () => 1);
const twos = (length: number): number[] => Array.from({ length }, () => 2);
const rare = (length: number): number[] => Array.from({ length }, () => -1);

/** The predefined distributions, known to both sides. */
export const predefined: SequenceTables<Distribution> = {
  literalLength: {
    log: 6,
    counts: [4, 3, ...twos(11), ...ones(3), ...twos(9), 3, 2, ...ones(5), ...rare(4)],
  },
  offset: { log: 5, counts: [...ones(6), ...twos(3), ...ones(15), ...rare(5)] },
  matchLength: { log: 6, counts: [1, 4, 3, ...twos(6), ...ones(37), ...rare(7)] },
};

/** State → symbol, bits to read, base of the next state. */
export interface DecodeTable {
  readonly log: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
  readonly next: Uint16Array;
}

export function decodeTable(distribution: Distribution): DecodeTable {
  const { log, counts } = distribution;
  const size = 1 << log;
  const symbols = spread(distribution);
  const seen = counts.map((count) => Math.abs(count));
  const bits = new Uint8Array(size);
  const next = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state]!;
    const occurrence = seen[symbol]!;
    seen[symbol] = occurrence + 1;
    bits[state] = log - highBit(occurrence);
    next[state] = (occurrence << bits[state]!) - size;
  }
  return { log, symbols, bits, next };
}

/** A table of one state that gives `symbol` without reading a bit. */
export function repeatTable(symbol: number): DecodeTable {
  return {
    log: 0,
    symbols: Uint8Array.of(symbol),
    bits: new Uint8Array(1),
    next: new Uint16Array(1),
  };
}

/** How a symbol moves the state: bits out = (state + deltaBits) >> 16, next = states[(state >> bits) + deltaState]. */
export interface EncodeTable {
  readonly log: number;
  readonly states: Uint16Array;
  readonly deltaBits: Int32Array;
  readonly deltaState: Int32Array;
}

export function encodeTable(distribution: Distribution): EncodeTable {
  const { log, counts } = distribution;
  const size = 1 << log;
  const symbols = spread(distribution);
  const states = new Uint16Array(size);
  const deltaBits = new Int32Array(counts.length);
  const deltaState = new Int32Array(counts.length);
  const slots: number[] = [];
  let total = 0;
  for (const [symbol, share] of counts.entries()) {
    slots.push(total);
    const count = Math.abs(share);
    if (count === 0) continue;
    const bitsMax = count === 1 ? log : log - highBit(count - 1);
    deltaBits[symbol] = (bitsMax << 16) - (count << bitsMax);
    deltaState[symbol] = total - count;
    total += count;
  }
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state]!;
    states[slots[symbol]!++] = size + state;
  }
  return { log, states, deltaBits, deltaState };
}

/** Symbols over states: rare ones from the end, the others in the format's stride. */
function spread({ log, counts }: Distribution): Uint8Array {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  let high = size;
  for (const [symbol, count] of counts.entries()) if (count === -1) symbols[--high] = symbol;
  const step = (size >> 1) + (size >> 3) + 3;
  let state = 0;
  for (const [symbol, count] of counts.entries()) {
    for (let i = 0; i < count; i++) {
      symbols[state] = symbol;
      do state = (state + step) & (size - 1);
      while (state >= high);
    }
  }
  return symbols;
}

/** Position of the highest set bit of `value` ≥ 1. */
export function highBit(value: number): number {
  return 31 - Math.clz32(value);
}
