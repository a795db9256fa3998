// Rules of values that have a form of their own: flush modes, listeners, host names, origins. Each says what is
// allowed and reads the value; used by the tables and by those who need the value in parts.

import type { KeyRule } from "./key.ts";

export const COMPRESSION_TYPES = [
  "uncompressed",
  "zstd",
  "lz4",
  "snappy",
  "gzip",
  "producer",
] as const;

/** When an append may be acknowledged. `interval`: as `os`, with a sync at least every `ms`. */
export type FlushMode =
  | { readonly mode: "group" }
  | { readonly mode: "os" }
  | { readonly mode: "interval"; readonly ms: number };

/** A week: beyond it an interval is a typing error, not a choice. */
const FLUSH_INTERVAL_MS_MAX = 604_800_000;
const GROUP: FlushMode = { mode: "group" };
const OS: FlushMode = { mode: "os" };

/** Reads `group`, `os` or `interval:MS`; undefined for anything else. */
export function parseFlushMode(text: string): FlushMode | undefined {
  if (text === "group") return GROUP;
  if (text === "os") return OS;
  const digits = /^interval:(\d{1,9})$/.exec(text)?.[1];
  const ms = Number(digits);
  if (digits === undefined || ms < 1 || ms > FLUSH_INTERVAL_MS_MAX) return undefined;
  return { mode: "interval", ms };
}

export const FLUSH_RULE: KeyRule = {
  allowed: "group, os or interval:MS (1 to 604800000), e.g. interval:1000",
  check: (text) =>
    parseFlushMode(text) ? undefined : "must be group, os or interval:MS, e.g. interval:1000",
};

export const MIGRATION_POLICIES = ["disabled", "downgrade", "upgrade", "bidirectional"] as const;

/** In any case, as Kafka takes it. */
export const MIGRATION_RULE: KeyRule = {
  allowed: `one of ${MIGRATION_POLICIES.join(", ")}`,
  check: (text) =>
    MIGRATION_POLICIES.some((policy) => policy === text.toLowerCase())
      ? undefined
      : `String must be one of (case insensitive): ${MIGRATION_POLICIES.join(", ").toUpperCase()}`,
};

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export interface NamedListener extends HostPort {
  readonly name: string;
}

/** One `NAME://host:port`; an empty host means every address, IPv6 stands in brackets. */
const LISTENER = /^([A-Za-z0-9_]+):\/\/(\[[0-9a-fA-F:.%]+\]|[^:/\s,]*):(\d{1,5})$/;

/** Reads Kafka's listener list; undefined if any entry is malformed. */
export function parseListeners(text: string): NamedListener[] | undefined {
  const listeners: NamedListener[] = [];
  for (const part of text.split(",")) {
    const match = LISTENER.exec(part.trim());
    if (!match) return undefined;
    const port = Number(match[3]);
    if (port > 65_535) return undefined;
    listeners.push({ name: match[1]!.toUpperCase(), host: unbracket(match[2]!), port });
  }
  return listeners;
}

/** Reads `HOST:PORT`, IPv6 in brackets. */
export function parseHostPort(text: string): HostPort | undefined {
  const listener = parseListeners(`PLAINTEXT://${text}`)?.[0];
  return listener && listener.host !== ""
    ? { host: listener.host, port: listener.port }
    : undefined;
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Names of Kafka's controller listeners: a broker of ours has none, so they are passed over. */
const CONTROLLER_LISTENER = "CONTROLLER";

/** The listeners clients use, of those in the list. */
export function clientListeners(text: string): NamedListener[] {
  return (parseListeners(text) ?? []).filter(({ name }) => name !== CONTROLLER_LISTENER);
}

const LISTENER_FORM = "NAME://HOST:PORT, e.g. PLAINTEXT://127.0.0.1:9092";
const listenersMax = 16;

export const LISTENERS_RULE: KeyRule = {
  allowed: LISTENER_FORM,
  check(text) {
    if (!parseListeners(text)) return `must be ${LISTENER_FORM}`;
    const listeners = clientListeners(text);
    if (listeners.length === 0) return "must name a listener that is not a controller's";
    if (listeners.length > listenersMax) return `has more than ${listenersMax} listeners`;
    const twice = listeners.find(({ name }, at) =>
      listeners.some((other, index) => index < at && other.name === name),
    );
    return twice && `Each listener must have a different name: ${twice.name} is there twice`;
  },
};

export const ADVERTISED_RULE: KeyRule = {
  allowed: `${LISTENER_FORM}, a name or address that clients can reach`,
  check(text) {
    const complaint = LISTENERS_RULE.check(text);
    if (complaint !== undefined) return complaint;
    const everywhere = clientListeners(text).find(({ host }) => isEveryAddress(host));
    if (everywhere === undefined) return undefined;
    const { host } = everywhere;
    return `clients cannot connect to ${host || "an empty host"}: name an address they can reach`;
  },
};

/** Whether listening on this host means listening on every address of the machine. */
export function isEveryAddress(host: string): boolean {
  return host === "" || host === "0.0.0.0" || host === "::" || host === "*";
}

export const LOG_DIR_RULE: KeyRule = {
  allowed: "one folder",
  check: (text) =>
    text.trim() === "" || text.includes(",")
      ? "must name one folder: a broker keeps its log in one place; start one broker per disk"
      : undefined,
};

const ORIGIN = /^https?:\/\/[^/\s,]+$/;

export const ORIGINS_RULE: KeyRule = {
  allowed: "a list of origins such as https://app.example, or *",
  check: (text) =>
    text === "" || text.split(",").every((one) => one.trim() === "*" || ORIGIN.test(one.trim()))
      ? undefined
      : "must be origins (https://host or http://host:port, no path), or *",
};

function unbracket(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}
