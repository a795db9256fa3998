// Lengths of Huffman codes under a limit, from how often each symbol occurs. For the writers of zstd and gzip, which
// number the codes each in its own way.

/** A complete prefix code of at most `bitsMax` bits: Huffman's, then shortened where it is too deep. */
export function codeLengths(counts: Int32Array, bitsMax: number): Uint8Array {
  const leaves = [...counts.keys()].filter((symbol) => counts[symbol]! > 0);
  leaves.sort((a, b) => counts[a]! - counts[b]!);
  const depths = huffmanDepths(leaves.map((symbol) => counts[symbol]!));
  limitDepths(depths, bitsMax);
  const lengths = new Uint8Array(counts.length);
  for (const [i, symbol] of leaves.entries()) lengths[symbol] = depths[i]!;
  return lengths;
}

/** Depth of each leaf, given counts in rising order: two queues, always the two lightest nodes. */
function huffmanDepths(counts: number[]): number[] {
  const leaves = counts.length;
  const weights = [...counts];
  const parents: number[] = [];
  let leaf = 0;
  let inner = leaves;
  const lightest = (): number => {
    const isLeaf = leaf < leaves && (inner >= weights.length || weights[leaf]! <= weights[inner]!);
    return isLeaf ? leaf++ : inner++;
  };
  while (weights.length < 2 * leaves - 1) {
    const a = lightest();
    const b = lightest();
    parents[a] = weights.length;
    parents[b] = weights.length;
    weights.push(weights[a]! + weights[b]!);
  }
  const depths: number[] = [];
  depths[2 * leaves - 2] = 0;
  for (let node = 2 * leaves - 3; node >= 0; node--) depths[node] = depths[parents[node]!]! + 1;
  return depths.slice(0, leaves);
}

/**
 * Depths fall along the list. Those above the limit are cut, which claims too much of the code space; it is
 * given back by lengthening the deepest codes below the limit, and what then is left over is used up.
 */
function limitDepths(depths: number[], bitsMax: number): void {
  const space = 2 ** bitsMax;
  let used = 0;
  for (const [i, depth] of depths.entries()) {
    depths[i] = Math.min(depth, bitsMax);
    used += 2 ** (bitsMax - depths[i]!);
  }
  for (let i = 0; used > space; i = (i + 1) % depths.length) {
    if (depths[i]! >= bitsMax) continue;
    depths[i]!++;
    used -= 2 ** (bitsMax - depths[i]!);
  }
  for (let i = depths.length - 1; i >= 0 && used < space; i--) {
    while (depths[i]! > 1 && used + 2 ** (bitsMax - depths[i]!) <= space) {
      used += 2 ** (bitsMax - depths[i]!);
      depths[i]!--;
    }
  }
}
