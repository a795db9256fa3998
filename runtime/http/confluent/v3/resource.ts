// Resources of v3: each says its kind, its own address and name, and where what belongs to it stands.

import type { Context } from "hono";
import { type Door, pathParameter } from "../../route.ts";
import { restJson } from "../answer.ts";
import { RestError } from "../error.ts";

export interface Related {
  readonly related: string;
}

/** Addresses and names below one cluster, as the client reached it. */
export class Links {
  readonly clusterId: string;
  readonly #base: string;

  constructor(context: Context, clusterId: string) {
    this.clusterId = clusterId;
    this.#base = `${new URL(context.req.url).origin}/v3/clusters`;
  }

  /** `path` without a slash before it; empty for the cluster itself. */
  to(...path: readonly (string | number)[]): string {
    const parts = [this.clusterId, ...path].map((each) => encodeURIComponent(each));
    return `${this.#base}/${parts.join("/")}`;
  }

  related(...path: readonly (string | number)[]): Related {
    return { related: this.to(...path) };
  }

  get clusters(): string {
    return this.#base;
  }

  /** `name`: what stands behind `crn:///kafka=…`. */
  resource(
    kind: string,
    {
      path,
      name,
      fields,
    }: {
      path: readonly (string | number)[];
      name: string;
      fields: Readonly<Record<string, unknown>>;
    },
  ): Readonly<Record<string, unknown>> {
    const resource_name = `crn:///kafka=${this.clusterId}${name}`;
    const metadata = { self: this.to(...path), resource_name };
    return { kind, metadata, cluster_id: this.clusterId, ...fields };
  }

  list(kind: string, path: readonly (string | number)[], data: readonly unknown[]): Response {
    const metadata = { self: this.to(...path), next: null };
    return restJson({ kind, metadata, data }, { version: "v3" });
  }
}

/** Throws 404 for another cluster's id. */
export function linksIn(door: Door, context: Context): Links {
  const id = pathParameter(context, "cluster");
  const { clusterId } = door.broker.cluster();
  if (id !== clusterId) throw new RestError(404, `cluster ${id} is not here, ${clusterId} is`);
  return new Links(context, clusterId);
}

export function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new RestError(404, `there is no ${what}`);
  return value;
}

export function answer(resource: unknown, status = 200): Response {
  return restJson(resource, { version: "v3", status });
}
