// `--only a,b`: the faults or measures of a run. Ends the process, with what there is, if there is none of a name.

import type { Sites } from "./sites.ts";

interface Named {
  readonly name: string;
  /** Only where connections can be cut. */
  readonly needsCuts?: boolean;
}

export function chosenOf<T extends Named>(
  all: readonly T[],
  only: string,
  sites: Pick<Sites, "canCut">,
): T[] {
  const words = only.split(",");
  const strange = words.find((word) => !all.some(({ name }) => name === word));
  if (strange !== undefined) {
    console.error(`--only ${strange}: there are ${all.map(({ name }) => name).join(", ")}.`);
    process.exit(2);
  }
  return all.filter(({ name, needsCuts }) => words.includes(name) && (sites.canCut || !needsCuts));
}
