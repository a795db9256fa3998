// The text of metrics: OpenMetrics 1.0 and Prometheus text 0.0.4, from the same samples. Knows the formats only,
// not where numbers come from. https://prometheus.io/docs/specs/om/open_metrics_spec/

import type { Histogram } from "./histogram.ts";
import { METRIC_PREFIX, METRICS, type MetricName, type MetricSpec } from "./metric-table.ts";

export type ExpositionFormat = "openmetrics" | "prometheus";

export const CONTENT_TYPES: { readonly [format in ExpositionFormat]: string } = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
};

const LABEL_CHARS_MAX = 120;

/** OpenMetrics for those that ask for it, Prometheus text for all others. */
export function chooseFormat(accept: string | null | undefined): ExpositionFormat {
  return accept?.includes("application/openmetrics-text") ? "openmetrics" : "prometheus";
}

/** Collects lines; families must be written one after the other, each in one piece. */
export class ExpositionWriter {
  readonly format: ExpositionFormat;
  readonly #lines: string[] = [];
  #family: MetricName | undefined;
  #series = 0;

  constructor(format: ExpositionFormat) {
    this.format = format;
  }

  /** Samples so far, as Prometheus counts series. */
  get series(): number {
    return this.#series;
  }

  /** One number of a counter, gauge or info; `labels` in the order of the table. */
  sample(name: MetricName, value: number, ...labels: string[]): void {
    this.#begin(name);
    this.#line(METRIC_PREFIX + name, labelText(METRICS[name].labels, labels), value);
  }

  histogram(name: MetricName, histogram: Histogram, ...labels: string[]): void {
    this.#begin(name);
    const full = METRIC_PREFIX + name;
    const names = METRICS[name].labels;
    let cumulative = 0;
    for (const [index, bound] of histogram.bounds().entries()) {
      cumulative += histogram.buckets[index]!;
      this.#line(`${full}_bucket`, this.#bucketLabels(names, labels, bound), cumulative);
    }
    const infinite = this.#bucketLabels(names, labels, Number.POSITIVE_INFINITY);
    this.#line(`${full}_bucket`, infinite, histogram.count);
    const text = labelText(names, labels);
    this.#line(`${full}_sum`, text, Number((histogram.sum * histogram.scale.unit).toPrecision(15)));
    this.#line(`${full}_count`, text, histogram.count);
  }

  end(): string {
    if (this.format === "openmetrics") this.#lines.push("# EOF");
    return `${this.#lines.join("\n")}\n`;
  }

  #begin(name: MetricName): void {
    if (this.#family === name) return;
    this.#family = name;
    const spec: MetricSpec = METRICS[name];
    const family = METRIC_PREFIX + this.#familyName(name, spec);
    const type = this.format === "prometheus" && spec.type === "info" ? "gauge" : spec.type;
    this.#lines.push(`# HELP ${family} ${spec.help}`, `# TYPE ${family} ${type}`);
  }

  /** OpenMetrics names a family without the suffix that its samples carry. */
  #familyName(name: string, spec: MetricSpec): string {
    if (this.format === "prometheus") return name;
    if (spec.type === "counter") return name.replace(/_total$/, "");
    return spec.type === "info" ? name.replace(/_info$/, "") : name;
  }

  #bucketLabels(names: readonly string[], labels: readonly string[], bound: number): string {
    return labelText([...names, "le"], [...labels, this.#boundText(bound)]);
  }

  #boundText(bound: number): string {
    if (bound === Number.POSITIVE_INFINITY) return "+Inf";
    return this.format === "openmetrics" && Number.isInteger(bound) ? `${bound}.0` : String(bound);
  }

  #line(name: string, labels: string, value: number): void {
    this.#series += 1;
    this.#lines.push(`${name}${labels} ${numberText(value)}`);
  }
}

function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return "";
  const pairs = names.map((name, index) => `${name}="${escaped(values[index] ?? "")}"`);
  return `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  const short = value.length > LABEL_CHARS_MAX ? `${value.slice(0, LABEL_CHARS_MAX - 1)}…` : value;
  if (!/["\\\n]/.test(short)) return short;
  return short.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}
