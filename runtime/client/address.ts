// Addresses of brokers, "host:port", and of HTTP doors, which are URLs: what options and metadata name, and errors show.

import { ClientError } from "./error.ts";

export interface Address {
  readonly host: string;
  /** 0: `host` is the URL of an HTTP door. */
  readonly port: number;
}

const defaultPort = 9092;

export function isHttpAddress({ port }: Address): boolean {
  return port === 0;
}

export function addressText({ host, port }: Address): string {
  if (port === 0) return host;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** "host", "host:port" or "[ipv6]:port"; or the URL of an HTTP door, whose port is part of it. */
export function parseAddress(text: string): Address {
  if (/^https?:\/\/./.test(text) && URL.canParse(text)) return { host: text, port: 0 };
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new ClientError("INVALID_REQUEST", `"${text}" is no broker address: write host:port.`);
  }
  return { host, port };
}
