// From what someone wrote to a canonical value: types, units, ranges. The wire takes Kafka's plain forms only;
// files, variables and flags may also use units ("7d", "512MiB").

import { type ConfigKey, INT_MAX, LONG_MAX, splitList } from "./key.ts";

export type Checked = { readonly text: string } | { readonly complaint: string };

const LONG_MIN = "-9223372036854775808";
const TEXT_LENGTH_MAX = 32_768;
const WHOLE = /^[+-]?\d{1,19}$/;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$/;
const WITH_UNIT = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/;

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const SIZE_BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Milliseconds in one of a time unit's own count: `log.retention.hours=2` is 2 × 3,600,000 ms. */
const UNIT_MS = { ms: 1, seconds: 1000, minutes: 60_000, hours: 3_600_000 } as const;

/** Kafka's plain form, as on the wire and in server.properties. */
export function checkPlain(key: ConfigKey, written: string): Checked {
  if (written.length > TEXT_LENGTH_MAX) return { complaint: "Value is too long" };
  const typed = checkType(key, written);
  if ("complaint" in typed) return typed;
  const complaint = key.rule.check(typed.text);
  return complaint === undefined ? typed : { complaint };
}

/** Plain forms and units. */
export function checkWritten(key: ConfigKey, written: string): Checked {
  const plain = withoutUnit(key, written.trim());
  return typeof plain === "string" ? checkPlain(key, plain) : plain;
}

/** Kafka's largest LONG means "no limit" and becomes Infinity. */
export function toNumber(text: string): number {
  const value = Number(text);
  return value > Number.MAX_SAFE_INTEGER && text === LONG_MAX ? Number.POSITIVE_INFINITY : value;
}

/** The units a key's value may be written with, for messages. */
export function unitExamples(key: ConfigKey): string | undefined {
  if (key.unit === "bytes") return "a size such as 512MiB or 1GB";
  if (key.unit !== null && key.unit in UNIT_MS) return "a duration such as 7d, 12h, 30s or 500ms";
  return undefined;
}

function withoutUnit(key: ConfigKey, written: string): string | Checked {
  const match = isNumeric(key) ? WITH_UNIT.exec(written) : null;
  if (!match) return written;
  const amount = Number(match[1]);
  const unit = match[2]!;
  if (key.unit === "bytes") {
    const bytes = SIZE_BYTES[unit.toLowerCase()];
    return bytes ? whole(amount * bytes, "bytes") : { complaint: unitComplaint(key, unit) };
  }
  const ownMs = key.unit !== null && key.unit in UNIT_MS && UNIT_MS[key.unit as "ms"];
  const ms = Object.hasOwn(DURATION_MS, unit) ? DURATION_MS[unit]! : undefined;
  if (!ownMs || ms === undefined) return { complaint: unitComplaint(key, unit) };
  return whole((amount * ms) / ownMs, key.unit!);
}

function whole(value: number, unit: string): string | Checked {
  if (!Number.isSafeInteger(value)) return { complaint: `is not a whole number of ${unit}` };
  return String(value);
}

function unitComplaint(key: ConfigKey, unit: string): string {
  const examples = unitExamples(key);
  return examples
    ? `'${unit}' is not one of its units: write a plain number of ${key.unit} or ${examples}`
    : `takes a plain number, without '${unit}'`;
}

function checkType(key: ConfigKey, written: string): Checked {
  const text = written.trim();
  switch (key.type) {
    case "BOOLEAN":
      return /^(true|false)$/i.test(text)
        ? { text: text.toLowerCase() }
        : { complaint: "Expected value to be either true or false" };
    case "INT":
      return checkWhole(text, "INT", String(-INT_MAX - 1), String(INT_MAX));
    case "LONG":
      return checkWhole(text, "LONG", LONG_MIN, LONG_MAX);
    case "DOUBLE":
      return DECIMAL.test(text)
        ? { text: String(Number(text)) }
        : { complaint: "Not a number of type DOUBLE" };
    case "LIST":
      return { text: [...new Set(splitList(text))].join(",") };
    case "PASSWORD":
      return { text: written };
    default:
      return { text };
  }
}

function checkWhole(text: string, type: string, min: string, max: string): Checked {
  const complaint = `Not a number of type ${type}`;
  if (!WHOLE.test(text)) return { complaint };
  const value = BigInt(text.replace(/^\+/, ""));
  if (value < BigInt(min) || value > BigInt(max)) return { complaint };
  return { text: String(value) };
}

function isNumeric(key: ConfigKey): boolean {
  return key.type === "INT" || key.type === "LONG" || key.type === "DOUBLE";
}
