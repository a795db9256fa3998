// Numbers of the deflate format (RFC 1951) that its reader and its writer share.

/** Longest codes: of literals, lengths and distances, and of the lengths of their codes. */
export const codeBitsMax = 15;
export const lengthCodeBitsMax = 7;
export const literalSymbols = 286;
export const distanceSymbols = 30;
export const endOfBlock = 256;
export const blockTypes = { stored: 0, fixed: 1, dynamic: 2 } as const;

/** Symbol 257 + i: the shortest match, and how many bits more say how much longer it is. */
export const lengthBase: readonly number[] = [
  ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115],
  ...[131, 163, 195, 227, 258],
];
export const lengthBits: readonly number[] = [
  ...[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0],
];
export const distanceBase: readonly number[] = [
  ...[1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537],
  ...[2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577],
];
export const distanceBits: readonly number[] = [
  ...[0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12],
  ...[13, 13],
];

/** The order in which the lengths of the length codes are written, rare ones last. */
export const lengthCodeOrder: readonly number[] = [
  ...[16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15],
];
/** Symbols of the length codes that repeat: the last length, or zeros. */
export const repeats = {
  last: { symbol: 16, base: 3, bits: 2 },
  zeros: { symbol: 17, base: 3, bits: 3 },
  manyZeros: { symbol: 18, base: 11, bits: 7 },
} as const;

/** Codes count up by length, then by symbol; each with its bits turned round, as it is written. */
export function reversedCodes(lengths: Uint8Array): Uint16Array {
  const codes = new Uint16Array(lengths.length);
  let code = 0;
  for (let bits = 1; bits <= codeBitsMax; bits++) {
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] === bits) codes[symbol] = reversed(code++, bits);
    }
    code <<= 1;
  }
  return codes;
}

function reversed(code: number, bits: number): number {
  let turned = 0;
  for (let bit = 0; bit < bits; bit++) if (code & (1 << bit)) turned |= 1 << (bits - 1 - bit);
  return turned;
}
