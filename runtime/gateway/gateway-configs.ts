// GatewayConfigs: what was set for a topic as far as the HTTP door asks for it without waiting: what makes a stream of
// it. Timberline brokers keep that in the topic's configs, which are asked for by topic; for other Kafkas see
// `stream-configs.ts`.

import type { TopicRecord } from "../../cluster/control-plane.ts";
import { type Configs, StreamConfigs, type StreamConfigsHost } from "./stream-configs.ts";

/** What another gateway or broker changes is seen after so long. */
const ageMsMax = 1_000;
const topicsMax = 200_000;
/** Topics asked about at once. */
const asksMax = 50;
const noConfigs: Configs = new Map();

interface Asked {
  readonly configs: Configs;
  readonly askedMs: number;
}

export class GatewayConfigs {
  /** Of other Kafkas than ours. */
  readonly streams: StreamConfigs;
  readonly #host: StreamConfigsHost;
  readonly #asked = new Map<string, Asked>();

  constructor(host: StreamConfigsHost) {
    this.#host = host;
    this.streams = new StreamConfigs(host);
  }

  close(): void {
    this.streams.close();
  }

  of(topicId: string): Configs {
    return this.#asked.get(topicId)?.configs ?? this.streams.of(topicId);
  }

  /** Resolves when what a request may ask of this topic is known. */
  async know(topic: TopicRecord): Promise<void> {
    const { upstream, clock } = this.#host;
    if (!(await upstream.isTimberline())) return this.streams.know(topic.id);
    const askedMs = clock.monotonicMs();
    const known = this.#asked.get(topic.id);
    if (known !== undefined && askedMs - known.askedMs < ageMsMax) return;
    const { name } = topic;
    const entries = await upstream.ask(() =>
      upstream.admin.describeConfigs({ kind: "topic", name }),
    );
    const own = entries.filter(({ source }) => source === "DYNAMIC_TOPIC_CONFIG");
    const configs = new Map(own.map(({ name: key, value }) => [key, value ?? ""]));
    this.#keep(topic.id, { configs, askedMs });
  }

  /** A change through this gateway: asked for anew. */
  forget(topicId: string): void {
    const known = this.#asked.get(topicId);
    if (known === undefined) return;
    this.#asked.set(topicId, { ...known, askedMs: Number.NEGATIVE_INFINITY });
  }

  /** Before other Kafkas than ours, streams are known from here on. */
  async begin(): Promise<void> {
    if (!(await this.#host.upstream.isTimberline())) await this.streams.catchUp();
  }

  /** Of all topics: whether one may be removed depends on those that were forked from it. */
  async knowAll(): Promise<void> {
    const { upstream } = this.#host;
    if (!(await upstream.isTimberline())) return this.streams.catchUp();
    const topics = [...upstream.view.cluster().topics.values()];
    for (let at = 0; at < topics.length; at += asksMax) {
      const some = topics.slice(at, at + asksMax);
      await Promise.allSettled(some.map((topic) => this.know(topic)));
    }
  }

  #keep(topicId: string, asked: Asked): void {
    if (this.#asked.size >= topicsMax) this.#asked.clear();
    const before = this.#asked.get(topicId)?.configs ?? noConfigs;
    // The same map as before lets readers keep what they have made of it.
    const configs = isSame(before, asked.configs) ? before : asked.configs;
    this.#asked.set(topicId, { ...asked, configs });
    if (configs !== before) this.#host.upstream.view.setConfigs(topicId, configs);
  }
}

function isSame(a: Configs, b: Configs): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}
