// Configs of topics, groups and brokers on this broker: what is set is the control plane's, what it means the
// tables' in `config/`. Used by `local-broker.ts` only.

import type {
  ClusterState,
  ConfigChanges,
  ControlPlane,
  TopicRecord,
} from "../cluster/control-plane.ts";
import type { Broker, ConfigEntry, ConfigOperation, ConfigResource } from "./broker.ts";
import {
  applyOperations,
  type BrokerConfig,
  type ConfigTarget,
  describeBrokerConfigs,
  describeClusterDefaults,
  describeGroupConfigs,
  describeTopicConfigs,
  replaceConfigs,
} from "./config.ts";
import { controlPlaneRefusal } from "./control-plane-refusal.ts";
import { BrokerError } from "./errors.ts";

type Configs = Pick<Broker, "describeConfigs" | "alterConfigs" | "replaceConfigs">;

const nothingSet: ReadonlyMap<string, string> = new Map();

export class LocalConfigs implements Configs {
  readonly #controlPlane: ControlPlane;
  readonly #config: () => BrokerConfig;

  constructor(controlPlane: ControlPlane, config: () => BrokerConfig) {
    this.#controlPlane = controlPlane;
    this.#config = config;
  }

  describeConfigs(
    resource: ConfigResource,
    names: readonly string[] | null,
  ): readonly ConfigEntry[] {
    const config = this.#config();
    if (resource.kind === "topic") {
      return describeTopicConfigs(this.#topic(resource.name).configs, config, names);
    }
    if (resource.kind === "group") {
      return describeGroupConfigs(this.#ofGroup(resource.groupId), config, names);
    }
    return resource.broker === null
      ? describeClusterDefaults(config, names)
      : describeBrokerConfigs(config, names);
  }

  async alterConfigs(
    resource: ConfigResource,
    operations: readonly ConfigOperation[],
    options: { validateOnly: boolean },
  ): Promise<void> {
    const changes = applyOperations(this.#target(resource), operations);
    if (!options.validateOnly) await this.#put(resource, changes);
  }

  async replaceConfigs(
    resource: ConfigResource,
    configs: ReadonlyMap<string, string>,
    options: { validateOnly: boolean },
  ): Promise<void> {
    const changes = replaceConfigs(this.#target(resource), configs);
    if (!options.validateOnly) await this.#put(resource, changes);
  }

  #target(resource: ConfigResource): ConfigTarget {
    const config = this.#config();
    if (resource.kind === "topic") {
      return { scope: "topic", current: this.#topic(resource.name).configs, config };
    }
    if (resource.kind === "group") {
      return { scope: "group", current: this.#ofGroup(resource.groupId), config };
    }
    const current = this.#cluster().brokerConfigs.get(resource.broker) ?? nothingSet;
    return { scope: resource.broker === null ? "cluster" : "broker", current, config };
  }

  async #put(resource: ConfigResource, changes: ConfigChanges): Promise<void> {
    if (changes.size === 0) return;
    try {
      await this.#alter(resource, changes);
    } catch (cause) {
      throw controlPlaneRefusal(cause);
    }
  }

  #alter(resource: ConfigResource, changes: ConfigChanges): Promise<unknown> {
    const plane = this.#controlPlane;
    if (resource.kind === "topic") return plane.alterTopicConfigs(resource.name, changes);
    if (resource.kind === "group") return plane.alterGroupConfigs(resource.groupId, changes);
    return plane.alterBrokerConfigs(resource.broker, changes);
  }

  #cluster(): ClusterState {
    return this.#controlPlane.state();
  }

  #ofGroup(groupId: string): ReadonlyMap<string, string> {
    return this.#cluster().groupConfigs.get(groupId) ?? nothingSet;
  }

  #topic(name: string): TopicRecord {
    const topic = this.#cluster().topics.get(name);
    if (topic) return topic;
    throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `there is no topic '${name}'`);
  }
}
