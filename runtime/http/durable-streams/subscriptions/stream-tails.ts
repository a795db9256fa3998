// What subscriptions ask of streams: which ones a pattern means, and where they end now.

import type { Door } from "../../route.ts";
import { streamConfig } from "../stream-config.ts";
import { pathOfTopic } from "../stream-name.ts";
import { tailOf } from "../stream-reader.ts";
import type { StreamTable } from "../stream-table.ts";
import { isMatch, type Subscription, type Tails, withLink } from "./subscription.ts";

/** Streams of one subscription: more are not linked. */
const linksMax = 10_000;
/** Ends asked for at once. */
const asksMax = 64;

export class StreamTails {
  readonly #door: Door;
  readonly #table: StreamTable;

  constructor(door: Door, table: StreamTable) {
    this.#door = door;
    this.#table = table;
  }

  /** Streams that are no more are left out. */
  async of(paths: readonly string[]): Promise<Tails> {
    const tails = new Map<string, number>();
    for (let at = 0; at < paths.length; at += asksMax) {
      await Promise.all(
        paths.slice(at, at + asksMax).map(async (path) => {
          const tail = await this.#tail(path);
          if (tail !== undefined) tails.set(path, tail);
        }),
      );
    }
    return tails;
  }

  ofLinks({ links }: Subscription): Promise<Tails> {
    return this.of(Object.keys(links));
  }

  /** With links to the streams that its pattern means by now; `acked` says how far each is done already. */
  withMatches(subscription: Subscription, acked: (path: string) => number): Subscription {
    let linked = subscription;
    for (const path of this.matches(subscription)) {
      if (linked.links[path]?.glob) continue;
      linked = withLink(linked, path, { kind: "glob", acked: acked(path) });
    }
    return linked;
  }

  matches(subscription: Subscription): string[] {
    if (subscription.config.pattern === null) return [];
    const found: string[] = [];
    for (const topic of this.#door.broker.cluster().topics.values()) {
      const config = streamConfig(topic);
      if (config.contentType === null || config.isGone) continue;
      const path = pathOfTopic(topic.name);
      if (isMatch(subscription, path)) found.push(path);
      if (found.length >= linksMax) break;
    }
    return found;
  }

  async #tail(path: string): Promise<number | undefined> {
    try {
      const stream = this.#table.peek(path);
      if (stream === undefined || stream.config.isGone) return undefined;
      return (await tailOf(stream)).position;
    } catch {
      // Without a leader for now, or removed meanwhile: looked at again.
      return undefined;
    }
  }
}
