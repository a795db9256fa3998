// GatewayTopics: topics and configs of the upstream, changed there and awaited until the gateway's view has them, so
// that the next request finds what the last one made.

import type { TopicRecord } from "../../cluster/control-plane.ts";
import type {
  Broker,
  ConfigEntry,
  ConfigOperation,
  ConfigResource,
  CreatedTopic,
  CreateTopicRequest,
} from "../broker.ts";
import { BrokerError } from "../errors.ts";
import { metadata as metadataApi } from "../kafka/apis/metadata.ts";
import type { Clock } from "../platform.ts";
import { checkTopicName } from "../topic-name.ts";
import type { GatewayConfigs } from "./gateway-configs.ts";
import { altered, type Configs, splitConfigs, splitOperations } from "./stream-configs.ts";
import type { Upstream } from "./upstream.ts";

/** How long a change may take until every broker that is asked tells of it. */
const visibleMsMax = 5_000;
const visibleLookMs = 25;
/** An upstream that makes topics by itself has made one by then. */
const autoCreateMsMax = 8_000;
/** Configs are asked for again after this; each produce request with a list of records needs one. */
const configsAgeMsMax = 5_000;
const configsMax = 1_000;

interface KnownConfigs {
  readonly entries: Promise<readonly ConfigEntry[]>;
  readonly askedMs: number;
}

export class GatewayTopics {
  readonly #clock: Clock;
  readonly #upstream: Upstream;
  readonly #known: GatewayConfigs;
  readonly #configs = new Map<string, KnownConfigs>();

  constructor(clock: Clock, upstream: Upstream, known: GatewayConfigs) {
    this.#clock = clock;
    this.#upstream = upstream;
    this.#known = known;
  }

  async create(request: CreateTopicRequest): Promise<CreatedTopic> {
    const { name, partitions, replicationFactor, assignments, validateOnly = false } = request;
    checkTopicName(name);
    const isTimberline = await this.#upstream.isTimberline();
    const { kafkas, own } = splitConfigs(request.configs);
    const configs = Object.fromEntries(isTimberline ? request.configs : kafkas);
    const layout = assignments === undefined ? { partitions, replicationFactor } : { assignments };
    const { admin, view } = this.#upstream;
    await this.#upstream.ask(() =>
      admin.createTopic({ name, ...layout, configs }, { validateOnly }),
    );
    if (validateOnly) return { name, id: "", partitions, replicationFactor, configs: [] };
    await this.#visible(name, () => view.cluster().topics.has(name));
    const topic = view.cluster().topics.get(name)!;
    if (own.size > 0) await this.#describe(topic, isTimberline ? null : own);
    return {
      name,
      id: topic.id,
      partitions: topic.partitions.length,
      replicationFactor: topic.partitions[0]?.replicas.length ?? 0,
      configs: await this.describeConfigs({ kind: "topic", name }, null),
    };
  }

  /** What makes a stream of a new topic is known when it can be used. */
  async #describe(topic: TopicRecord, own: Configs | null): Promise<void> {
    if (own === null) return this.#known.know(topic);
    try {
      await this.#known.streams.set(topic.id, own);
    } catch (error) {
      // Without it the topic would be a stream of another kind.
      const { admin } = this.#upstream;
      await this.#upstream.ask(() => admin.deleteTopic(topic.name)).catch(() => {});
      throw error;
    }
  }

  /** Only if the upstream makes topics that are asked for. */
  async autoCreate(name: string): Promise<void> {
    checkTopicName(name);
    const { view, calls } = this.#upstream;
    const message = { topics: [{ name }], allowAutoTopicCreation: true };
    const endMs = this.#clock.monotonicMs() + ((await this.#createsTopics()) ? autoCreateMsMax : 0);
    while (this.#clock.monotonicMs() < endMs) {
      await this.#upstream.ask(() => calls.metadata.callQuickest(metadataApi, message));
      await view.look(name);
      const partitions = view.cluster().topics.get(name)?.partitions ?? [];
      if (partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)) return;
      await this.#wait(visibleLookMs);
    }
    const what = `there is no topic ${name}, and the upstream cluster makes none by itself`;
    throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `${what}: create it first`);
  }

  /** Where that may not be asked, it is tried. */
  async #createsTopics(): Promise<boolean> {
    const broker = this.#upstream.view.cluster().brokers.keys().next().value ?? null;
    const resource = { kind: "broker", broker } as const;
    try {
      const [entry] = await this.describeConfigs(resource, ["auto.create.topics.enable"]);
      return entry?.value !== "false";
    } catch (error) {
      if (error instanceof BrokerError && error.code === "POLICY_VIOLATION") return true;
      throw error;
    }
  }

  async delete(name: string): Promise<void> {
    const { admin, view } = this.#upstream;
    const id = view.cluster().topics.get(name)?.id;
    await this.#upstream.ask(() => admin.deleteTopic(name));
    const { streams } = this.#known;
    if (id !== undefined && streams.of(id).size > 0) await streams.set(id, new Map());
    this.#configs.clear();
    await this.#visible(name, () => view.cluster().topics.get(name)?.id !== id);
  }

  async createPartitions(request: Parameters<Broker["createPartitions"]>[0]): Promise<void> {
    const { name, partitions, assignments, validateOnly = false } = request;
    const { admin, view } = this.#upstream;
    const count = () => view.cluster().topics.get(name)?.partitions.length ?? 0;
    if (assignments !== undefined) {
      throw new BrokerError("INVALID_REQUEST", "assignments of new partitions are the upstream's");
    }
    if (partitions <= count()) {
      const what = `topic ${name} has ${count()} partitions: give a higher number`;
      throw new BrokerError("INVALID_PARTITIONS", what);
    }
    if (validateOnly) return;
    await this.#upstream.ask(() => admin.createPartitions(name, partitions));
    await this.#visible(name, () => count() >= partitions);
  }

  describeConfigs(
    resource: ConfigResource,
    names: readonly string[] | null,
  ): Promise<readonly ConfigEntry[]> {
    const key = JSON.stringify([resource, names]);
    const nowMs = this.#clock.monotonicMs();
    const known = this.#configs.get(key);
    if (known !== undefined && nowMs - known.askedMs < configsAgeMsMax) return known.entries;
    const options = { ...(names === null ? {} : { names }), documentation: true };
    const entries = this.#upstream.ask(() =>
      this.#upstream.admin.describeConfigs(resource, options),
    );
    if (this.#configs.size >= configsMax) this.#configs.clear();
    this.#configs.set(key, { entries, askedMs: nowMs });
    entries.catch(() => this.#configs.delete(key));
    return entries;
  }

  async alterConfigs(
    resource: ConfigResource,
    operations: readonly ConfigOperation[],
    options: { validateOnly: boolean },
  ): Promise<void> {
    const { admin, view } = this.#upstream;
    const { own, kafkas } = splitOperations(operations);
    const topic = resource.kind === "topic" ? view.cluster().topics.get(resource.name) : undefined;
    const isKept = topic !== undefined && own.length > 0 && !(await this.#upstream.isTimberline());
    const theirs = isKept ? kafkas : operations;
    if (theirs.length > 0) {
      await this.#upstream.ask(() => admin.alterConfigs(resource, theirs, options));
    }
    this.#configs.clear();
    if (options.validateOnly || topic === undefined) return;
    const { streams } = this.#known;
    if (isKept) return streams.set(topic.id, altered(streams.of(topic.id), own));
    this.#known.forget(topic.id);
    if (own.length > 0) await this.#known.know(topic);
  }

  async #visible(name: string, isThere: () => boolean): Promise<void> {
    const endMs = this.#clock.monotonicMs() + visibleMsMax;
    for (;;) {
      await this.#upstream.view.look(name);
      if (isThere()) return;
      if (this.#clock.monotonicMs() > endMs) break;
      await this.#wait(visibleLookMs);
    }
    const what = `the upstream cluster changed topic ${name}, and does not show it yet`;
    throw new BrokerError("REQUEST_TIMED_OUT", what);
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(delayMs, resolve));
  }
}
