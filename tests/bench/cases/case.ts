// What a benchmark case is: a name to select it by, and how it finds its measures.

import type { Bench } from "../bench.ts";
import type { Measure } from "../measure.ts";

export interface BenchCase {
  readonly name: string;
  readonly what: string;
  run(bench: Bench): Promise<readonly Measure[]>;
}
