// Config resources: the wire numbers of what configs belong to, where a value comes from and what type it has,
// for the four config APIs and CreateTopics. The numbers are Kafka's and never change.

import type { ConfigResource, ConfigSource, ConfigType } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { HandlerContext } from "./handler.ts";

export const resourceType = {
  topic: 2,
  broker: 4,
  brokerLogger: 8,
  clientMetrics: 16,
  group: 32,
} as const;

export const configSource: Readonly<Record<ConfigSource, number>> = {
  DYNAMIC_TOPIC_CONFIG: 1,
  DYNAMIC_BROKER_CONFIG: 2,
  DYNAMIC_DEFAULT_BROKER_CONFIG: 3,
  STATIC_BROKER_CONFIG: 4,
  DEFAULT_CONFIG: 5,
};

export const configType: Readonly<Record<ConfigType, number>> = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
};

export interface NamedResource {
  readonly resourceType: number;
  readonly resourceName: string;
}

/** Identifies a resource within one request. */
export function resourceKey({ resourceType: type, resourceName }: NamedResource): string {
  return `${type} ${resourceName}`;
}

/**
 * The topic or broker a request means; UNKNOWN_TOPIC_OR_PARTITION and INVALID_REQUEST if there is none.
 * A broker answers for itself and, under the empty name, for the defaults of all brokers.
 */
export function topicOrBroker(
  resource: NamedResource,
  { broker }: Pick<HandlerContext, "broker">,
): ConfigResource {
  const { resourceType: type, resourceName: name } = resource;
  if (type === resourceType.topic) {
    if (!broker.cluster().topics.has(name)) {
      throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `The topic '${name}' does not exist.`);
    }
    return { kind: "topic", name };
  }
  if (type === resourceType.broker) {
    if (name === "") return { kind: "broker", broker: null };
    assertOwnId(name, broker.brokerId, " or empty string");
    return { kind: "broker", broker: broker.brokerId };
  }
  throw new BrokerError("INVALID_REQUEST", `Unsupported resource type ${type}.`);
}

/** INVALID_REQUEST unless `name` is this broker's id. */
export function assertOwnId(name: string, brokerId: number, alternative = ""): void {
  if (name === String(brokerId)) return;
  const expected = `expected ${brokerId}${alternative}`;
  throw new BrokerError(
    "INVALID_REQUEST",
    `Unexpected broker id, ${expected}, but received ${name}`,
  );
}
