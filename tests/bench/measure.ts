// What a case finds: figures of both sides, the target the project set itself, and whether it was met. Pure.

import type { Side } from "./broker-process.ts";

/** One figure per round and side; a side that was not measured has none. */
export type Samples = { readonly [side in Side]: readonly number[] };

export interface Target {
  /** Of Timberline's figure divided by Kafka's, or of Timberline's figure alone. */
  readonly of: "ratio" | "value";
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly target: Target | undefined;
  readonly samples: Samples;
  /** What a reader should know of how it came about. */
  readonly note: string;
}

export interface Verdict {
  readonly timberline: number | undefined;
  readonly kafka: number | undefined;
  readonly ratio: number | undefined;
  /** Undefined without a target, or when what it speaks of was not measured. */
  readonly met: boolean | undefined;
}

export function judge({ samples, target }: Measure): Verdict {
  const timberline = median(samples.timberline);
  const kafka = median(samples.kafka);
  const ratio = timberline !== undefined && kafka ? timberline / kafka : undefined;
  const judged = target?.of === "ratio" ? ratio : timberline;
  const met = target === undefined || judged === undefined ? undefined : meets(judged, target);
  return { timberline, kafka, ratio, met };
}

export function targetText({ of, atLeast, atMost }: Target, unit: string): string {
  const ending = of === "ratio" ? "×" : ` ${unit}`;
  return atLeast === undefined ? `≤ ${atMost}${ending}` : `≥ ${atLeast}${ending}`;
}

/** Of an even count the mean of the middle two. */
export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  if (sorted.length % 2 === 1) return sorted[middle];
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function meets(value: number, { atLeast = -Infinity, atMost = Infinity }: Target): boolean {
  return value >= atLeast && value <= atMost;
}
