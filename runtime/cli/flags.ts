// Flags: the options of one call, read by name with their checks, so that a wrong value is one clear sentence
// and exit code 2. Values come from `program.ts`; names are the long ones, in camel case.

import { usageError } from "./exit.ts";
import { parseDurationMs } from "./time-spec.ts";

export type FlagValue = string | boolean | readonly string[] | undefined;

export class Flags {
  readonly #values: Readonly<Record<string, FlagValue>>;

  constructor(values: Readonly<Record<string, FlagValue>>) {
    this.#values = values;
  }

  isSet(name: string): boolean {
    const value = this.#values[name];
    return value !== undefined && value !== false;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  /** A repeatable option; empty when it was not given. */
  list(name: string): readonly string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value : typeof value === "string" ? [value] : [];
  }

  integer(name: string, range: { min: number; max: number }): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= range.min && value <= range.max)) {
      throw usageError(
        `${optionOf(name)}: "${text}" is not a whole number from ${range.min} to ${range.max}`,
      );
    }
    return value;
  }

  durationMs(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseDurationMs(text, optionOf(name));
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const found = allowed.find((value) => value === text);
    if (found !== undefined) return found;
    throw usageError(`${optionOf(name)}: "${text}" is not one of ${allowed.join(", ")}`);
  }
}

/** `key=value` of a repeatable option. */
export function parsePair(text: string, option: string): { name: string; value: string } {
  const at = text.indexOf("=");
  if (at <= 0) throw usageError(`${option} ${text}: write it as ${option} name=value`);
  return { name: text.slice(0, at), value: text.slice(at + 1) };
}

/** `kafkaPort` → `--kafka-port`. */
export function optionOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
