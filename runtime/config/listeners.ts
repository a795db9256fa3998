// Listeners of the Kafka door: names, protocols and addresses, read from the keys that Kafka spreads them over.
// Pure; `BrokerConfig` gives them to the server.

import { type KeyRule, splitList } from "./key.ts";
import { clientListeners, type HostPort, parseListeners } from "./rules.ts";

export const PROTOCOLS = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] as const;
export type SecurityProtocol = (typeof PROTOCOLS)[number];

export interface KafkaListener extends HostPort {
  readonly name: string;
  readonly protocol: SecurityProtocol;
  /** Where its clients are told to connect; undefined: the address listened on. Port 0: the one it got. */
  readonly advertised: HostPort | undefined;
}

export interface ListenerTexts {
  readonly listeners: string;
  readonly advertised: string | undefined;
  readonly protocols: string;
  readonly interBroker: string | undefined;
}

export function isEncrypted(protocol: SecurityProtocol): boolean {
  return protocol === "SSL" || protocol === "SASL_SSL";
}

export function hasSasl(protocol: SecurityProtocol): boolean {
  return protocol === "SASL_PLAINTEXT" || protocol === "SASL_SSL";
}

/** The one that brokers use among themselves first. A name that stands for no protocol is as PLAINTEXT: see `contradictions`. */
export function kafkaListeners(texts: ListenerTexts): readonly KafkaListener[] {
  const named = clientListeners(texts.listeners);
  const advertised = clientListeners(texts.advertised ?? "");
  const protocols = protocolsOf(texts.protocols);
  const own = named.find(({ name }) => name === mainName(texts)) ?? named[0];
  const ordered = named.filter((one) => one === own).concat(named.filter((one) => one !== own));
  return ordered.map(({ name, host, port }) => {
    const told = advertised.find((one) => one.name === name);
    return {
      name,
      protocol: protocols.get(name) ?? "PLAINTEXT",
      host: host === "" ? "0.0.0.0" : host,
      port,
      advertised: told && { host: told.host, port: told.port },
    };
  });
}

/** Names of listeners, upper case, by the protocol they stand for. */
export function protocolsOf(text: string): ReadonlyMap<string, SecurityProtocol> {
  const found = new Map<string, SecurityProtocol>();
  for (const pair of splitList(text)) {
    const [name = "", protocol = ""] = pair.split(":").map((part) => part.trim().toUpperCase());
    const known = PROTOCOLS.find((one) => one === protocol);
    if (known !== undefined) found.set(name, known);
  }
  return found;
}

/** The list with one listener's address changed; the others stay. */
export function withAddress(text: string, name: string, address: string): string {
  const own = `${name}://${address}`;
  const parts = splitList(text);
  const at = parts.findIndex((part) => parseListeners(part)?.[0]?.name === name);
  return at < 0 ? [...parts, own].join(",") : parts.with(at, own).join(",");
}

function mainName({ interBroker }: ListenerTexts): string {
  return (interBroker ?? "PLAINTEXT").toUpperCase();
}

const PROTOCOL_PAIR = /^[A-Za-z0-9_]+\s*:\s*(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$/i;

export const PROTOCOLS_RULE: KeyRule = {
  allowed: `NAME:PROTOCOL pairs with commas between; a protocol is one of ${PROTOCOLS.join(", ")}`,
  check: (text) =>
    splitList(text).every((pair) => PROTOCOL_PAIR.test(pair))
      ? undefined
      : `must be NAME:PROTOCOL pairs, e.g. INTERNAL:PLAINTEXT,EXTERNAL:SASL_SSL`,
};

const usersMax = 1_000;

/** Name and password of each user of `timberline.sasl.users`. */
export function usersOf(text: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const line of text.split(/[,\r\n]+/)) {
    const colon = line.indexOf(":");
    if (line.trim() !== "") users.set(line.slice(0, colon).trim(), line.slice(colon + 1));
  }
  return users;
}

export const USERS_RULE: KeyRule = {
  allowed: `NAME:PASSWORD with commas or lines between, at most ${usersMax}`,
  check(text) {
    const lines = text.split(/[,\r\n]+/).filter((line) => line.trim() !== "");
    if (lines.length > usersMax) return `has more than ${usersMax} users`;
    const isFine = lines.every((line) => /^\s*[^:\s][^:]*:.+$/.test(line));
    return isFine ? undefined : "must be NAME:PASSWORD with commas or lines between";
  },
};
