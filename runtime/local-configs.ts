// Configs of topics and brokers: described, changed and replaced as the control plane keeps them. Used by
// `local-broker.ts` only.

import type { ConfigChanges, ControlPlane, TopicRecord } from "../cluster/control-plane.ts";
import type { ConfigEntry, ConfigOperation, ConfigResource } from "./broker.ts";
import {
  applyOperations,
  type BrokerConfig,
  type ConfigTarget,
  describeBrokerConfigs,
  describeClusterDefaults,
  describeTopicConfigs,
  replaceConfigs,
} from "./config.ts";
import { controlPlaneRefusal } from "./control-plane-refusal.ts";
import { BrokerError } from "./errors.ts";

export class LocalConfigs {
  readonly #controlPlane: ControlPlane;
  readonly #config: () => BrokerConfig;

  /** `config` is this broker's, dynamic changes included. */
  constructor(controlPlane: ControlPlane, config: () => BrokerConfig) {
    this.#controlPlane = controlPlane;
    this.#config = config;
  }

  describe(resource: ConfigResource, names: readonly string[] | null): readonly ConfigEntry[] {
    const config = this.#config();
    if (resource.kind === "topic") {
      return describeTopicConfigs(this.#topic(resource.name).configs, config, names);
    }
    return resource.broker === null
      ? describeClusterDefaults(config, names)
      : describeBrokerConfigs(config, names);
  }

  async alter(
    resource: ConfigResource,
    operations: readonly ConfigOperation[],
    options: { validateOnly: boolean },
  ): Promise<void> {
    const changes = applyOperations(this.#target(resource), operations);
    if (!options.validateOnly) await this.#put(resource, changes);
  }

  async replace(
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
    const current = this.#controlPlane.state().brokerConfigs.get(resource.broker) ?? new Map();
    return { scope: resource.broker === null ? "cluster" : "broker", current, config };
  }

  async #put(resource: ConfigResource, changes: ConfigChanges): Promise<void> {
    if (changes.size === 0) return;
    try {
      if (resource.kind === "topic") {
        await this.#controlPlane.alterTopicConfigs(resource.name, changes);
      } else await this.#controlPlane.alterBrokerConfigs(resource.broker, changes);
    } catch (cause) {
      throw controlPlaneRefusal(cause);
    }
  }

  #topic(name: string): TopicRecord {
    const topic = this.#controlPlane.state().topics.get(name);
    if (topic) return topic;
    throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `there is no topic '${name}'`);
  }
}
