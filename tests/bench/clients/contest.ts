// What the clients' bench finds, and what it must be: our figures beside the best of the others'. Pure.

import { median } from "../measure.ts";

/** By name; rates in records per second, times in ms, CPU in seconds per million records. */
export type Figures = Readonly<Record<string, number>>;

/** By client, one entry a round. */
export type Rounds = ReadonlyMap<string, readonly Figures[]>;

export const ours = "timberline";

interface Goal {
  readonly what: string;
  readonly unit: string;
  /** Which figure of ours, and of the others, is compared. */
  readonly figure: string;
  readonly theirs: string;
  readonly isBetter: "more" | "less";
  /** Ratio to the best of the others; null: none that can be compared. */
  readonly target: number;
}

export const goals: readonly Goal[] = [
  goal("produce", "records/s", "produce", "more", 2),
  goal("produce, CPU", "s per million", "produceCpu", "less", 0.6),
  goal("one record, median", "ms", "oneP50", "less", 1),
  goal("one record, p99", "ms", "oneP99", "less", 1),
  goal("consume by record", "records/s", "consume", "more", 1.5),
  { ...goal("consume by batch", "records/s", "consumeBatches", "more", 3), theirs: "consume" },
  goal("consume by record, CPU", "s per million", "consumeCpu", "less", 1),
];

export interface Verdict {
  readonly what: string;
  readonly unit: string;
  readonly ours: number;
  readonly others: Readonly<Record<string, number>>;
  readonly best: string;
  readonly ratio: number;
  readonly target: string;
  readonly met: boolean;
}

export function judge(rounds: Rounds): readonly Verdict[] {
  return goals.map((goal) => {
    const own = middle(rounds.get(ours) ?? [], goal.figure);
    const others = Object.fromEntries(
      [...rounds]
        .filter(([name]) => name !== ours)
        .map(([name, figures]) => [name, middle(figures, goal.theirs)]),
    );
    const sign = goal.isBetter === "more" ? -1 : 1;
    const [best = "–", figure = Number.NaN] =
      Object.entries(others).sort((a, b) => sign * (a[1] - b[1]))[0] ?? [];
    const ratio = own / figure;
    const met = goal.isBetter === "more" ? ratio >= goal.target : ratio <= goal.target;
    const target = `${goal.isBetter === "more" ? "≥" : "≤"} ${goal.target}×`;
    const { what, unit } = goal;
    return { what, unit, ours: own, others, best, ratio, target, met };
  });
}

export function table(title: string, verdicts: readonly Verdict[]): string {
  const names = Object.keys(verdicts[0]?.others ?? {});
  const rows = verdicts.map(({ what, unit, ours: own, others, ratio, target, met }) => [
    `${what}, ${unit}`,
    short(own),
    ...names.map((name) => short(others[name] ?? Number.NaN)),
    `${ratio.toFixed(2)}×`,
    target,
    met ? "met" : "missed",
  ]);
  const head = [title, "Timberline", ...names, "to the best", "target", ""];
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function goal(
  what: string,
  unit: string,
  figure: string,
  isBetter: Goal["isBetter"],
  target: number,
): Goal {
  return { what, unit, figure, theirs: figure, isBetter, target };
}

function middle(rounds: readonly Figures[], name: string): number {
  const values = rounds.map((figures) => figures[name]).filter((value) => value !== undefined);
  return median(values) ?? Number.NaN;
}

function short(value: number): string {
  if (Number.isNaN(value)) return "–";
  if (value >= 10_000) return `${Math.round(value / 1_000).toLocaleString("en")} k`;
  return value >= 100 ? value.toFixed(0) : value.toFixed(3);
}
