// What copying with transactions must leave: each committed record of the input once in the output, in the order of
// its partition, and nothing else. Pure.

/** Values per partition, in the order of their offsets. */
export type Contents = readonly (readonly string[])[];

const faultsMax = 20;

/** One sentence per fault, the first ones; none when each record was processed exactly once. */
export function copyFaults(input: Contents, output: Contents): string[] {
  const faults: string[] = [];
  const known = new Set(input.flat());
  const counts = new Map<string, number>();
  for (const value of output.flat()) {
    counts.set(value, (counts.get(value) ?? 0) + 1);
    if (!known.has(value)) faults.push(`${value} was never committed to the input`);
  }
  for (const value of known) {
    const count = counts.get(value) ?? 0;
    if (count !== 1) faults.push(`${value} was processed ${count} times`);
  }
  for (const [partition, values] of output.entries()) {
    faults.push(...orderFaults(partition, input[partition] ?? [], values));
  }
  return faults.slice(0, faultsMax);
}

function orderFaults(partition: number, input: readonly string[], output: readonly string[]) {
  const places = new Map(input.map((value, i) => [value, i]));
  const faults: string[] = [];
  let last = -1;
  for (const value of output) {
    const place = places.get(value) ?? -1;
    if (place < last) faults.push(`${value} comes late in partition ${partition}`);
    last = Math.max(last, place);
  }
  return faults;
}
