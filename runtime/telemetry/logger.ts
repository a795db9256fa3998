// The broker's own log: one line per event on stderr, for people (text) or machines (JSON). Events have stable
// names; messages are for people; values stand in fields. Repeats are folded. Record keys, values, headers and
// secrets must never be passed in.

import type { Clock } from "../platform.ts";

export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
/** error: a person must act; warn: may have to; info: lifecycle; debug: per request. */
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = "text" | "json";

/** Values of fields; an `Error` is written with its name, message and causes. */
export type LogFields = Readonly<
  Record<string, string | number | boolean | null | undefined | Error>
>;

export interface Logger {
  error(event: string, message: string, fields?: LogFields): void;
  warn(event: string, message: string, fields?: LogFields): void;
  info(event: string, message: string, fields?: LogFields): void;
  debug(event: string, message: string, fields?: LogFields): void;
  /** Ask before making expensive fields. */
  enabled(level: LogLevel): boolean;
  /** The same log under another name (a folder: "log", "kafka") and with fields on every line. */
  child(name: string, fields?: LogFields): Logger;
}

export interface LogOptions {
  readonly clock: Clock;
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one line with its line feed. */
  readonly write: (line: string) => void;
}

/** Lines of one event that are written in a window before the rest is folded. */
const LINES_PER_WINDOW = 10;
const WINDOW_MS = 60_000;
/** Events that are counted at once; beyond it the oldest window ends early. */
const WINDOWS_MAX = 500;
const TEXT_CHARS_MAX = 2000;
const CAUSES_MAX = 5;
const EVENT_COLUMNS = 5;

interface Entry {
  readonly level: LogLevel;
  readonly name: string;
  readonly event: string;
  readonly message: string;
  readonly fields: LogFields;
}

interface Window {
  lines: number;
  folded: number;
  last: Entry;
  readonly startedMs: number;
}

/** The log itself; `logger()` gives the handles that others write through. */
export class Log {
  readonly #options: LogOptions;
  readonly #windows = new Map<string, Window>();
  #rank: number;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#rank = LOG_LEVELS.indexOf(options.level);
  }

  logger(name = "server", fields: LogFields = {}): Logger {
    return new NamedLogger(this, name, fields);
  }

  /** At run time, for all handles. */
  setLevel(level: LogLevel): void {
    this.#rank = LOG_LEVELS.indexOf(level);
  }

  enabled(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) <= this.#rank;
  }

  take(entry: Entry): void {
    const key = `${entry.level} ${entry.name} ${entry.event}`;
    const nowMs = this.#options.clock.monotonicMs();
    let window = this.#windows.get(key);
    if (window && nowMs - window.startedMs >= WINDOW_MS) {
      this.#endWindow(key, window);
      window = undefined;
    }
    if (!window) window = this.#beginWindow(key, entry, nowMs);
    window.last = entry;
    if (window.lines < LINES_PER_WINDOW) {
      window.lines += 1;
      this.#write(entry, 0);
    } else {
      window.folded += 1;
    }
  }

  /** Writes what is still folded: before the process ends. */
  flush(): void {
    for (const [key, window] of [...this.#windows]) this.#endWindow(key, window);
  }

  #beginWindow(key: string, last: Entry, startedMs: number): Window {
    const oldest = this.#windows.entries().next().value;
    if (this.#windows.size >= WINDOWS_MAX && oldest) this.#endWindow(oldest[0], oldest[1]);
    const window: Window = { lines: 0, folded: 0, last, startedMs };
    this.#windows.set(key, window);
    this.#options.clock.after(WINDOW_MS, () => {
      if (this.#windows.get(key) === window) this.#endWindow(key, window);
    });
    return window;
  }

  #endWindow(key: string, window: Window): void {
    this.#windows.delete(key);
    if (window.folded > 0) this.#write(window.last, window.folded);
  }

  #write(entry: Entry, folded: number): void {
    const { clock, format, write } = this.#options;
    const time = new Date(clock.nowMs()).toISOString();
    write(format === "json" ? jsonLine(time, entry, folded) : textLine(time, entry, folded));
  }
}

class NamedLogger implements Logger {
  readonly #log: Log;
  readonly #name: string;
  readonly #fields: LogFields;

  constructor(log: Log, name: string, fields: LogFields) {
    this.#log = log;
    this.#name = name;
    this.#fields = fields;
  }

  error(event: string, message: string, fields?: LogFields): void {
    this.#take("error", event, message, fields);
  }

  warn(event: string, message: string, fields?: LogFields): void {
    this.#take("warn", event, message, fields);
  }

  info(event: string, message: string, fields?: LogFields): void {
    this.#take("info", event, message, fields);
  }

  debug(event: string, message: string, fields?: LogFields): void {
    this.#take("debug", event, message, fields);
  }

  enabled(level: LogLevel): boolean {
    return this.#log.enabled(level);
  }

  child(name: string, fields: LogFields = {}): Logger {
    return new NamedLogger(this.#log, name, { ...this.#fields, ...fields });
  }

  #take(level: LogLevel, event: string, message: string, fields: LogFields | undefined): void {
    if (!this.#log.enabled(level)) return;
    const all = fields ? { ...this.#fields, ...fields } : this.#fields;
    this.#log.take({ level, name: this.#name, event, message, fields: all });
  }
}

function jsonLine(time: string, entry: Entry, folded: number): string {
  const { level, name, event, message } = entry;
  const line: Record<string, unknown> = { time, level, logger: name, event, message: cut(message) };
  for (const [field, value] of Object.entries(entry.fields)) {
    // A field must not pass itself off as one of the line's own.
    if (value !== undefined) line[field in line ? `field_${field}` : field] = plain(value);
  }
  if (folded > 0) line.folded = { lines: folded, seconds: WINDOW_MS / 1000 };
  return `${JSON.stringify(line)}\n`;
}

function textLine(time: string, entry: Entry, folded: number): string {
  const { level, name, event, message } = entry;
  const fields = Object.entries(entry.fields)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => `${field}=${quoted(plain(value))}`);
  const times = folded > 0 ? [`(× ${folded} in ${WINDOW_MS / 1000} s)`] : [];
  const head = `${time} ${level.toUpperCase().padEnd(EVENT_COLUMNS)} ${name}/${event}:`;
  return `${[head, oneLine(cut(message)), ...fields, ...times].join(" ")}\n`;
}

function plain(value: LogFields[string]): string | number | boolean | null {
  if (value instanceof Error) return cut(errorText(value));
  if (typeof value === "string") return cut(value);
  return value ?? null;
}

function errorText(error: Error): string {
  const parts: string[] = [];
  let cause: unknown = error;
  for (let depth = 0; cause instanceof Error && depth < CAUSES_MAX; depth++) {
    const code = "code" in cause && typeof cause.code === "string" ? cause.code : cause.name;
    parts.push(`${code}: ${cause.message}`);
    cause = cause.cause;
  }
  return parts.join(" ← ");
}

function quoted(value: string | number | boolean | null): string {
  if (typeof value !== "string") return String(value);
  return /^[\w.:/@[\]-]+$/.test(value) ? value : oneLine(JSON.stringify(value));
}

/** Text from elsewhere must not begin a line of its own or steer a terminal. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must go
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ");
}

function cut(text: string): string {
  return text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX - 1)}…` : text;
}
