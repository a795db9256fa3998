// What many runs of the simulator came to, summed up.

import type { Outcome } from "./simulation.ts";

export interface Totals {
  readonly seeds: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly sends: number;
  readonly acknowledged: number;
  readonly reads: number;
  readonly cpuS: number;
  readonly wallS: number;
  readonly failed: readonly number[];
  /** How often each happened. */
  readonly faults: Readonly<Record<string, number>>;
}

export const noTotals: Totals = {
  ...{ seeds: 0, events: 0, virtualMs: 0, sends: 0, acknowledged: 0, reads: 0 },
  ...{ cpuS: 0, wallS: 0, failed: [], faults: {} },
};

export function totalsOf(outcome: Outcome): Totals {
  const { events, virtualMs, sends, acknowledged, reads, violations, seed } = outcome;
  const faults: Record<string, number> = {};
  for (const fault of outcome.faults) faults[fault] = (faults[fault] ?? 0) + 1;
  const failed = violations.length === 0 ? [] : [seed];
  const counts = { seeds: 1, events, virtualMs, sends, acknowledged, reads };
  return { ...counts, cpuS: 0, wallS: 0, failed, faults };
}

export function sumOf(a: Totals, b: Totals): Totals {
  const faults = { ...a.faults };
  for (const [name, times] of Object.entries(b.faults)) faults[name] = (faults[name] ?? 0) + times;
  return {
    seeds: a.seeds + b.seeds,
    events: a.events + b.events,
    virtualMs: a.virtualMs + b.virtualMs,
    sends: a.sends + b.sends,
    acknowledged: a.acknowledged + b.acknowledged,
    reads: a.reads + b.reads,
    cpuS: a.cpuS + b.cpuS,
    wallS: a.wallS + b.wallS,
    failed: [...a.failed, ...b.failed].sort((one, other) => one - other),
    faults,
  };
}

export function summaryOf(of: Totals): string {
  const { seeds, failed, events, virtualMs, sends, acknowledged, reads, cpuS, wallS } = of;
  return (
    `${seeds} seeds, ${failed.length} failed${failed.length > 0 ? ` (${failed.join(" ")})` : ""}: ` +
    `${events} events, ${Math.round(virtualMs / 1_000)} s simulated, ${sends} sent, ` +
    `${acknowledged} acknowledged, ${reads} read; ${(cpuS / seeds).toFixed(3)} s CPU a seed, ` +
    `${wallS.toFixed(1)} s in all`
  );
}
