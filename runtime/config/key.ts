// What a configuration key is: its type, unit, range, default and who may change it while the broker runs.
// The tables (`broker-keys.ts`, `topic-keys.ts`, `timberline-keys.ts`) are made of these; help texts, checks,
// DescribeConfigs and `config explain` are derived from them. Pure data, no values of a running broker.

export type KeyType = "BOOLEAN" | "STRING" | "INT" | "LONG" | "DOUBLE" | "LIST" | "PASSWORD";

/** What a number counts; decides which units ("7d", "512MiB") a file, flag or variable may use. */
export type KeyUnit = "ms" | "minutes" | "hours" | "bytes" | "seconds" | "count" | "ratio" | null;

/** read-only: at start only. cluster-wide: by AlterConfigs, for one broker or as the default of all. */
export type KeyDynamic = "read-only" | "per-broker" | "cluster-wide";

/** What a value must satisfy beyond its type. `allowed` is the sentence for people. */
export interface KeyRule {
  readonly allowed: string;
  /** The complaint, or undefined when the canonical text is fine. */
  check(text: string): string | undefined;
}

/** Another key that means the same when this one is absent; its value is `times` smaller. */
export interface KeyFallback {
  readonly name: string;
  readonly times: number;
}

export interface KeySpec<T extends KeyType = KeyType> {
  readonly type: T;
  readonly unit: KeyUnit;
  /** Canonical text as DescribeConfigs shows it; null: not set. */
  readonly default: string | null;
  readonly rule: KeyRule;
  readonly dynamic: KeyDynamic;
  readonly doc: string;
  readonly sensitive: boolean;
  /** Keys of topics and groups: the broker key that holds the default. */
  readonly brokerKey: string | null;
  /** Broker keys: weaker names for the same thing, strongest first. */
  readonly fallbacks: readonly KeyFallback[];
  /** Metrics and limits a person who tunes this should look at. */
  readonly related: readonly string[];
}

/** A key in a table: its spec and where it stands. */
export interface ConfigKey extends KeySpec {
  readonly name: string;
  readonly scope: "broker" | "topic" | "group";
}

export interface KeyOptions {
  readonly default?: string | number | boolean | null;
  readonly unit?: KeyUnit;
  readonly min?: number;
  readonly max?: number;
  /** Values outside min…max that are allowed as well. */
  readonly also?: readonly number[];
  readonly oneOf?: readonly string[];
  readonly rule?: KeyRule;
  readonly dynamic?: KeyDynamic;
  readonly doc: string;
  readonly brokerKey?: string | null;
  readonly fallbacks?: readonly KeyFallback[];
  readonly related?: readonly string[];
}

export const INT_MAX = 2 ** 31 - 1;
/** Kafka's "no limit" for LONG keys; read as Infinity. */
export const LONG_MAX = "9223372036854775807";

export const boolean = (options: KeyOptions) => spec("BOOLEAN", options);
export const string = (options: KeyOptions) => spec("STRING", options);
export const int = (options: KeyOptions) => spec("INT", options);
export const long = (options: KeyOptions) => spec("LONG", options);
export const double = (options: KeyOptions) => spec("DOUBLE", options);
export const list = (options: KeyOptions) => spec("LIST", options);
export const password = (options: KeyOptions) => spec("PASSWORD", options);

function spec<T extends KeyType>(type: T, options: KeyOptions): KeySpec<T> {
  const preset = options.default ?? null;
  return {
    type,
    unit: options.unit ?? null,
    default: preset === null ? null : String(preset),
    rule: options.rule ?? ruleOf(type, options),
    dynamic: options.dynamic ?? "read-only",
    doc: options.doc,
    sensitive: type === "PASSWORD",
    brokerKey: options.brokerKey ?? null,
    fallbacks: options.fallbacks ?? [],
    related: options.related ?? [],
  };
}

function ruleOf(type: KeyType, options: KeyOptions): KeyRule {
  if (options.oneOf) return type === "LIST" ? listOf(options.oneOf) : oneOf(options.oneOf);
  if (type === "BOOLEAN") return { allowed: "true or false", check: () => undefined };
  if (type === "INT" || type === "LONG" || type === "DOUBLE") return between(options);
  return { allowed: type === "LIST" ? "a comma-separated list" : "text", check: () => undefined };
}

function oneOf(values: readonly string[]): KeyRule {
  const names = values.join(", ");
  return {
    allowed: `one of ${names}`,
    check: (text) => (values.includes(text) ? undefined : `String must be one of: ${names}`),
  };
}

function listOf(values: readonly string[]): KeyRule {
  const names = values.join(", ");
  return {
    allowed: `a list of ${names}`,
    check: (text) =>
      splitList(text).every((item) => values.includes(item))
        ? undefined
        : `String must be one of: ${names}`,
  };
}

function between({ min, max, also = [] }: KeyOptions): KeyRule {
  const other = also.length > 0 ? ` or equal to ${also.join(", ")}` : "";
  return {
    allowed: `${rangeText(min, max)}${other}`,
    check(text) {
      const value = Number(text);
      if (also.includes(value)) return undefined;
      if (min !== undefined && max !== undefined && (value < min || value > max) && other) {
        return `Value must be between ${min} and ${max}${other}`;
      }
      if (min !== undefined && value < min) return `Value must be at least ${min}`;
      if (max !== undefined && value > max) return `Value must be no more than ${max}`;
      return undefined;
    },
  };
}

function rangeText(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return `between ${min} and ${max}`;
  if (min !== undefined) return `at least ${min}`;
  if (max !== undefined) return `at most ${max}`;
  return "any number";
}

/** Kafka's lists: commas, blanks trimmed, an empty text is an empty list. */
export function splitList(text: string): string[] {
  const trimmed = text.trim();
  return trimmed === "" ? [] : trimmed.split(",").map((item) => item.trim());
}
