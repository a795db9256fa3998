// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) with SIMD but without carry-less
// multiplication, which WebAssembly lacks. If f(x) is a multiple of the polynomial then so is
// f(x)^8 = f(x^8): a sparse multiple of degree d at bit level is a recurrence on bytes, y[i] =
// data[i] ^ y[i-d1] ^ … ^ y[i-d], which 16-byte XORs run. It moves the whole message into its last
// d bytes; a smaller recurrence, then tables, do those.
//
// Three sparse multiples (byte distances), each with the tier that uses it:
//   1747 2830 5321                    from 20 KB: 3 loads a vector
//   154 177 183 258 290               from 1 KB: 5 loads a vector
//   47 51 55 85 90 100 104            from 256 B: state in seven registers, taps are shuffles
// In a tier in memory the second largest distance must be ≤ the largest − 4, or the seed would be
// seen twice.

/** Below: tables only. */
const foldRegistersFrom: u32 = 256;
const foldNearFrom: u32 = 1024;
const foldFarFrom: u32 = 20480;

// ---- tables: 16 of 256 u32 (slicing by 16) ----
const tables: usize = memory.data(16384, 64);

/** CRC-32C of memory [at, at+length); `seed` is the CRC of the bytes before, 0 at the start. */
export function crc32cAt(at: usize, length: u32, seed: u32): u32 {
  const state = ~seed;
  if (length < foldRegistersFrom) return ~bySlices(at, length, state);
  if (length < foldNearFrom) return ~byRegisters(at, length, state);
  if (length < foldFarFrom) return ~byNearTaps(at, length, state);
  return ~byFarTaps(at, length, state);
}

function fillTables(): void {
  for (let i: u32 = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    store<u32>(tables + (i << 2), value);
  }
  for (let entry: usize = tables + 1024; entry < tables + 16384; entry += 4) {
    const before = load<u32>(entry - 1024);
    store<u32>(entry, (before >>> 8) ^ load<u32>(tables + ((before & 255) << 2)));
  }
}
fillTables();

// ---- tier 1: slicing by 16 ----

/**
 * Each of 16 bytes through the table of its distance to the end. (An offset must be a literal to
 * cost nothing.)
 */
function bySlices(at: usize, length: u32, state: u32): u32 {
  const end = at + length;
  const wordsEnd = at + (length & ~15);
  while (at < wordsEnd) {
    const w0 = load<u32>(at) ^ state;
    const w1 = load<u32>(at, 4);
    const w2 = load<u32>(at, 8);
    const w3 = load<u32>(at, 12);
    state =
      load<u32>(tables + ((w0 & 255) << 2), 15 * 1024) ^
      load<u32>(tables + (((w0 >>> 8) & 255) << 2), 14 * 1024) ^
      load<u32>(tables + (((w0 >>> 16) & 255) << 2), 13 * 1024) ^
      load<u32>(tables + ((w0 >>> 24) << 2), 12 * 1024) ^
      load<u32>(tables + ((w1 & 255) << 2), 11 * 1024) ^
      load<u32>(tables + (((w1 >>> 8) & 255) << 2), 10 * 1024) ^
      load<u32>(tables + (((w1 >>> 16) & 255) << 2), 9 * 1024) ^
      load<u32>(tables + ((w1 >>> 24) << 2), 8 * 1024) ^
      load<u32>(tables + ((w2 & 255) << 2), 7 * 1024) ^
      load<u32>(tables + (((w2 >>> 8) & 255) << 2), 6 * 1024) ^
      load<u32>(tables + (((w2 >>> 16) & 255) << 2), 5 * 1024) ^
      load<u32>(tables + ((w2 >>> 24) << 2), 4 * 1024) ^
      load<u32>(tables + ((w3 & 255) << 2), 3 * 1024) ^
      load<u32>(tables + (((w3 >>> 8) & 255) << 2), 2 * 1024) ^
      load<u32>(tables + (((w3 >>> 16) & 255) << 2), 1 * 1024) ^
      load<u32>(tables + ((w3 >>> 24) << 2), 0 * 1024);
    at += 16;
  }
  while (at < end) {
    state = (state >>> 8) ^ load<u32>(tables + (((state ^ load<u8>(at)) & 255) << 2));
    at++;
  }
  return state;
}

// ---- tier 2: 104 bytes of state in seven registers ----

const groupBytes: u32 = 112;
const group: usize = memory.data(112, 16);

/**
 * Needs length ≥ 228. The first group is filled up with zeros in front, so that whole groups
 * remain.
 */
function byRegisters(at: usize, length: u32, state: u32): u32 {
  let lead = length % groupBytes;
  if (lead < 4) {
    state = bySlices(at, lead, state);
    at += lead;
    length -= lead;
    lead = groupBytes;
  }
  const end = at + length;
  memory.fill(group, 0, groupBytes);
  const first = group + groupBytes - lead;
  memory.copy(first, at, lead);
  store<u32>(first, load<u32>(first) ^ state);
  at += lead;

  let r0 = i32x4.splat(0), r1 = r0, r2 = r0, r3 = r0, r4 = r0, r5 = r0, r6 = r0;
  let from = group;
  while (at < end) {
    r0 = v128.xor(v128.load(from, 0), taps(r0, r1, r2, r3, r4, r5));
    r1 = v128.xor(v128.load(from, 16), taps(r1, r2, r3, r4, r5, r6));
    r2 = v128.xor(v128.load(from, 32), taps(r2, r3, r4, r5, r6, r0));
    r3 = v128.xor(v128.load(from, 48), taps(r3, r4, r5, r6, r0, r1));
    r4 = v128.xor(v128.load(from, 64), taps(r4, r5, r6, r0, r1, r2));
    r5 = v128.xor(v128.load(from, 80), taps(r5, r6, r0, r1, r2, r3));
    r6 = v128.xor(v128.load(from, 96), taps(r6, r0, r1, r2, r3, r4));
    from = at;
    at += groupBytes;
  }
  // The last group only receives: its own vectors count as zero for the taps.
  const zero = i32x4.splat(0);
  const s0 = v128.xor(v128.load(from, 0), taps(r0, r1, r2, r3, r4, r5));
  const s1 = v128.xor(v128.load(from, 16), taps(r1, r2, r3, r4, r5, r6));
  const s2 = v128.xor(v128.load(from, 32), taps(r2, r3, r4, r5, r6, zero));
  const s3 = v128.xor(v128.load(from, 48), taps(r3, r4, r5, r6, zero, zero));
  const s4 = v128.xor(v128.load(from, 64), taps(r4, r5, r6, zero, zero, zero));
  const s5 = v128.xor(v128.load(from, 80), taps(r5, r6, zero, zero, zero, zero));
  const s6 = v128.xor(v128.load(from, 96), taps(r6, zero, zero, zero, zero, zero));
  v128.store(group, s0, 0);
  v128.store(group, s1, 16);
  v128.store(group, s2, 32);
  v128.store(group, s3, 48);
  v128.store(group, s4, 64);
  v128.store(group, s5, 80);
  v128.store(group, s6, 96);
  return bySlices(group, groupBytes, 0);
}

/**
 * XOR of the vectors 47, 51, 55, 85, 90, 100 and 104 bytes back; `b7` lies seven vectors back, `b2`
 * two.
 */
// @ts-ignore: decorator
@inline
function taps(b7: v128, b6: v128, b5: v128, b4: v128, b3: v128, b2: v128): v128 {
  return v128.xor(
    v128.xor(
      v128.xor(
        v128.shuffle<u8>(b7, b6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23),
        v128.shuffle<u8>(b7, b6, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27),
      ),
      v128.xor(
        v128.shuffle<u8>(b6, b5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21),
        v128.shuffle<u8>(b6, b5, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26),
      ),
    ),
    v128.xor(
      v128.xor(
        v128.shuffle<u8>(b4, b3, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24),
        v128.shuffle<u8>(b4, b3, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28),
      ),
      v128.shuffle<u8>(b3, b2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
    ),
  );
}

// ---- tiers 3 and 4: state in memory ----
// History: the last `reach` bytes of y, then a block of new ones. `reach` is the largest distance
// rounded up to whole vectors, so a vector d bytes back lies at q + reach − d, q being the start of
// the history.

const nearReach: usize = 304;
const nearLast: u32 = 290;
const nearBlock: u32 = 8192;
const nearStep: u32 = 64;
const nearHistory: usize = memory.data(8896, 64);
const nearRest: usize = memory.data(448, 64);

/** y of the vector `i` bytes on, data at `p`, history at `q`. */
// @ts-ignore: decorator
@inline
function near(p: usize, q: usize, i: usize): v128 {
  return v128.xor(
    v128.xor(
      v128.xor(v128.load(q + i, 304 - 290), v128.load(q + i, 304 - 258)),
      v128.xor(v128.load(q + i, 304 - 183), v128.load(q + i, 304 - 177)),
    ),
    v128.xor(v128.load(q + i, 304 - 154), v128.load(p + i)),
  );
}

/** Needs length ≥ 384. */
function byNearTaps(p: usize, length: u32, state: u32): u32 {
  const end = p + length;
  let left = (((length & ~15) - nearLast) / nearStep) * nearStep;
  memory.fill(nearHistory, 0, nearReach);
  // Meets the first four bytes, by the largest tap only.
  store<u32>(nearHistory + nearReach - nearLast, state);
  let q: usize = nearHistory;
  while (left) {
    const bytes = min<u32>(left, nearBlock);
    left -= bytes;
    q = nearHistory;
    const blockEnd = q + bytes;
    while (q < blockEnd) {
      v128.store(q, near(p, q, 0), 304);
      v128.store(q, near(p, q, 16), 304 + 16);
      v128.store(q, near(p, q, 32), 304 + 32);
      v128.store(q, near(p, q, 48), 304 + 48);
      q += nearStep;
      p += nearStep;
    }
    if (left) memory.copy(nearHistory, q, nearReach);
  }
  memory.fill(q + nearReach, 0, nearReach); // from here on bytes only receive
  let rest = nearRest;
  const wholeEnd = p + ((end - p) & ~15);
  while (p < wholeEnd) {
    v128.store(rest, near(p, q, 0));
    q += 16;
    p += 16;
    rest += 16;
  }
  return bySlices(p, <u32>(end - p), byRegisters(nearRest, <u32>(rest - nearRest), 0));
}

const farReach: usize = 5328;
const farLast: u32 = 5321;
const farBlock: u32 = 16384;
const farStep: u32 = 128;
const farHistory: usize = memory.data(27264, 64);
const farRest: usize = memory.data(5520, 64);

// @ts-ignore: decorator
@inline
function far(p: usize, q: usize, i: usize): v128 {
  return v128.xor(
    v128.xor(v128.load(q + i, 5328 - 5321), v128.load(q + i, 5328 - 2830)),
    v128.xor(v128.load(q + i, 5328 - 1747), v128.load(p + i)),
  );
}

/** Needs length ≥ 5488. */
function byFarTaps(p: usize, length: u32, state: u32): u32 {
  const end = p + length;
  let left = (((length & ~15) - farLast) / farStep) * farStep;
  memory.fill(farHistory, 0, farReach);
  store<u32>(farHistory + farReach - farLast, state);
  let q: usize = farHistory;
  while (left) {
    const bytes = min<u32>(left, farBlock);
    left -= bytes;
    q = farHistory;
    const blockEnd = q + bytes;
    while (q < blockEnd) {
      v128.store(q, far(p, q, 0), 5328);
      v128.store(q, far(p, q, 16), 5328 + 16);
      v128.store(q, far(p, q, 32), 5328 + 32);
      v128.store(q, far(p, q, 48), 5328 + 48);
      v128.store(q, far(p, q, 64), 5328 + 64);
      v128.store(q, far(p, q, 80), 5328 + 80);
      v128.store(q, far(p, q, 96), 5328 + 96);
      v128.store(q, far(p, q, 112), 5328 + 112);
      q += farStep;
      p += farStep;
    }
    if (left) memory.copy(farHistory, q, farReach);
  }
  memory.fill(q + farReach, 0, farReach);
  let rest = farRest;
  const wholeEnd = p + ((end - p) & ~15);
  while (p < wholeEnd) {
    v128.store(rest, far(p, q, 0));
    q += 16;
    p += 16;
    rest += 16;
  }
  return bySlices(p, <u32>(end - p), byNearTaps(farRest, <u32>(rest - farRest), 0));
}
