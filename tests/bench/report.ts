// The result of a run: a table for people, and the same with all samples as JSON for comparing runs later.

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Side } from "./broker-process.ts";
import { judge, type Measure, targetText } from "./measure.ts";
import type { Cores } from "./process-figures.ts";

export interface Report {
  readonly date: string;
  readonly command: string;
  /** Those that were asked for by name; none: all. */
  readonly cases: readonly string[];
  readonly machine: Readonly<Record<string, string | number>>;
  readonly pinning: string;
  /** 1, 5 and 15 minutes, before and after. */
  readonly loadAverage: { readonly before: readonly number[]; readonly after: readonly number[] };
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly measures: readonly Measure[];
}

const columns = ["measure", "unit", "Timberline", "Kafka", "ratio", "target", "", "note"];

export function tableOf(measures: readonly Measure[]): string {
  const rows = [columns, columns.map(() => "---"), ...measures.map(row)];
  const widths = columns.map((_, i) => Math.max(...rows.map((cells) => cells[i]!.length)));
  return rows
    .map((cells) => {
      const filler = cells[0] === "---" ? "-" : " ";
      return `| ${cells.map((cell, i) => cell.padEnd(widths[i]!, filler)).join(" | ")} |`;
    })
    .join("\n");
}

/** Writes DATE-LABEL[-CASE…].json and .md, so that a few cases never replace a run of all; returns their path. */
export function storeReport(report: Report, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const name = [report.date.slice(0, 10), machineLabel(), ...report.cases].join("-");
  const path = join(folder, name);
  const judged = report.measures.map((measure) => ({ ...measure, ...judge(measure) }));
  const json = JSON.stringify({ ...report, measures: judged }, replaceNumbers, 2);
  writeFileSync(`${path}.json`, `${json}\n`);
  writeFileSync(`${path}.md`, markdown(report));
  return path;
}

export function machine(): Record<string, string | number> {
  return {
    system: `${process.platform} ${release()} ${process.arch}`,
    processor: processor(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

export function pinningText(cores: Cores | undefined): string {
  if (cores === undefined) return "not pinned";
  const one = `server on core ${cores.server}, load on core ${cores.load}, for both sides alike`;
  return `${one} (several brokers and their load: on all)`;
}

export function versionsText(versions: ReadonlyMap<Side, string>): Record<string, string> {
  return { node: process.versions.node, ...Object.fromEntries(versions) };
}

function markdown(report: Report): string {
  const list = (values: Readonly<Record<string, string | number>>) =>
    Object.entries(values)
      .map(([key, value]) => `${key} ${value}`)
      .join(", ");
  const { before, after } = report.loadAverage;
  return [
    `# ${report.date.slice(0, 10)}: ${report.command}`,
    "",
    `${list(report.machine)}; ${report.pinning}; load average before ${numbers(before)}, after ` +
      `${numbers(after)}. Versions: ${list(report.versions)}. ${list(report.settings)}.`,
    "",
    "Medians of rounds in which both sides take turns; read the ratios.",
    "",
    tableOf(report.measures),
    "",
  ].join("\n");
}

function row(measure: Measure): string[] {
  const { timberline, kafka, ratio, met } = judge(measure);
  const { name, unit, target, note } = measure;
  return [
    name,
    unit,
    number(timberline),
    number(kafka),
    ratio === undefined ? "–" : `${number(ratio)}×`,
    target === undefined ? "–" : targetText(target, unit),
    met === undefined ? "" : met ? "met" : "missed",
    note,
  ];
}

function numbers(values: readonly number[]): string {
  return values.map((value) => value.toFixed(1)).join(" ");
}

function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  if (value >= 100) return String(Math.round(value));
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function replaceNumbers(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(6)) : value;
}

function processor(): string {
  return cpus()[0]?.model.trim() ?? "unknown";
}

/** "epyc-2core": the last telling word of the processor's name. */
function machineLabel(): string {
  const words = processor()
    .toLowerCase()
    .replace(/\(\w+\)|@.*$/g, " ")
    .split(/[^a-z0-9]+/)
    .filter((word) => word.length > 2 && !/^(amd|intel|apple|cpu|processor|core)$/.test(word));
  return `${words[0] ?? process.arch}-${cpus().length}core`;
}
