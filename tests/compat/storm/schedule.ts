// When which member leaves, crashes or returns: drawn from a seed before the storm begins. Pure.

import type { SeededRandom } from "../../support/random.ts";

export type Action = "leave" | "crash" | "return";

export interface StormEvent {
  readonly atMs: number;
  readonly group: number;
  readonly seat: number;
  readonly action: Action;
}

export interface StormPlan {
  readonly groups: number;
  /** Members of each group; all are there when the storm begins. */
  readonly seats: number;
  readonly durationMs: number;
  /** Between two events of one group, on average. */
  readonly pauseMs: number;
}

/** So many absent members make a return as likely as another going. */
const absentUsual = 3;
/** A group never gets smaller than a third. */
const presentShare = 3;

/** In the order of time. Nobody leaves who is not there, or returns who is. */
export function planStorm(plan: StormPlan, random: SeededRandom): StormEvent[] {
  const events: StormEvent[] = [];
  for (let group = 0; group < plan.groups; group++) {
    const present = Array.from({ length: plan.seats }, (_, seat) => seat);
    const absent: number[] = [];
    const pause = (): number => random.below(2 * plan.pauseMs);
    for (let atMs = pause(); atMs < plan.durationMs; atMs += pause()) {
      const isSmall = present.length * presentShare <= plan.seats;
      const returns = isSmall || random.below(absent.length + absentUsual) < absent.length;
      const [from, to] = returns ? [absent, present] : [present, absent];
      const [seat] = from.splice(random.below(from.length), 1);
      if (seat === undefined) continue;
      to.push(seat);
      const action = returns ? "return" : random.oneIn(2) ? "crash" : "leave";
      events.push({ atMs, group, seat, action });
    }
  }
  return events.sort((a, b) => a.atMs - b.atMs);
}
