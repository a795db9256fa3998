// The objects of one Worker and who they are: one broker with everything, or several that share the partitions, each
// in an object of its own, and one that keeps their metadata. They reach each other through the Worker's binding.

import type { HostPort } from "../config.ts";
import type { StreamSocket } from "../platforms/workerd.ts";

/** A binding to a class of Durable Objects, as far as it is used. */
export interface ObjectNamespace {
  idFromName(name: string): ObjectId;
  get(id: ObjectId): ObjectStub;
}

export interface ObjectId {
  toString(): string;
  /** Of objects that were named. */
  readonly name?: string;
}

export interface ObjectStub {
  fetch(request: Request | string): Promise<Response>;
  connect(address: string): StreamSocket;
}

/** What an object is: decided by its name. */
export type Role =
  | { readonly kind: "alone" }
  | { readonly kind: "broker"; readonly id: number; readonly count: number }
  | { readonly kind: "metadata" };

const brokersMax = 64;
const aloneName = "log";
const ownPaths: ReadonlySet<string> = new Set(["/metrics", "/healthz", "/readyz"]);
const brokerName = /^broker-(\d+)$/;
/** Where brokers find the metadata: a name only, nothing is listened on. */
export const metadataPlace: HostPort = { host: "metadata", port: 1 };

/** The variable BROKERS: among how many objects the partitions are spread. Undefined: there is one, with everything. */
export function brokerCount(variable: unknown): number | undefined {
  if (variable === undefined) return undefined;
  const count = Number(variable);
  if (Number.isInteger(count) && count >= 1 && count <= brokersMax) return count;
  throw new RangeError(`BROKERS: "${variable}" is no whole number from 1 to ${brokersMax}`);
}

export function roleOf(name: string | undefined, brokers: unknown): Role {
  const count = brokerCount(brokers);
  if (count === undefined) return { kind: "alone" };
  const id = brokerName.exec(name ?? "")?.[1];
  return id === undefined ? { kind: "metadata" } : { kind: "broker", id: Number(id), count };
}

/** Of the only broker, or of the one with this number. */
export function brokerObject(objects: ObjectNamespace, id: number | undefined): ObjectStub {
  return objectNamed(objects, id === undefined ? aloneName : `broker-${id}`);
}

/** The object behind an address that brokers know each other by: broker i is told at the first one's port + i. */
export function objectAt(
  objects: ObjectNamespace,
  address: HostPort,
  first: HostPort,
  count: number,
): ObjectStub | undefined {
  const { host, port } = address;
  if (host === metadataPlace.host && port === metadataPlace.port) {
    return objectNamed(objects, metadataPlace.host);
  }
  const id = port - first.port;
  return host === first.host && id >= 0 && id < count ? brokerObject(objects, id) : undefined;
}

/**
 * Which broker takes a request: always the same for one path, and it asks the leader. What a broker knows of itself
 * alone is asked with ?broker=ID.
 */
export function brokerOfUrl({ pathname, searchParams }: URL, count: number): number {
  const asked = ownPaths.has(pathname) ? searchParams.get("broker") : null;
  if (asked !== null && /^\d{1,9}$/.test(asked) && Number(asked) < count) return Number(asked);
  return brokerOfPath(pathname, count);
}

/** Spreads paths over so many brokers, so that none has them all. */
export function brokerOfPath(path: string, count: number): number {
  let hash = 0;
  for (let at = 0; at < path.length; at++) hash = (hash * 31 + path.charCodeAt(at)) >>> 0;
  return hash % count;
}

function objectNamed(objects: ObjectNamespace, name: string): ObjectStub {
  return objects.get(objects.idFromName(name));
}
