// Config resources: the wire numbers of what configs belong to, where a value comes from and what type it has,
// for the four config APIs and CreateTopics. The numbers are Kafka's and never change.

import type { Broker, ConfigResource, ConfigSource, ConfigType } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import { checkTopicName } from "../topic-name.ts";
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
  DYNAMIC_GROUP_CONFIG: 8,
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
 * The topic, group or broker whose configs a request describes; INVALID_TOPIC_EXCEPTION, UNKNOWN_TOPIC_OR_PARTITION or
 * INVALID_REQUEST if there is none. A broker speaks for itself and, under the empty name, for the defaults of
 * all brokers.
 */
export function describedResource(
  { resourceType: type, resourceName: name }: NamedResource,
  { broker }: Pick<HandlerContext, "broker">,
): ConfigResource {
  if (type === resourceType.topic) {
    checkTopicName(name);
    return knownTopic(name, broker);
  }
  if (type === resourceType.broker) {
    if (name === "") return { kind: "broker", broker: null };
    checkOwnId(name, {
      brokerId: broker.brokerId,
      expected: ` ${broker.brokerId} or empty string,`,
    });
    return { kind: "broker", broker: broker.brokerId };
  }
  if (type === resourceType.group) {
    if (name === "") throw new BrokerError("INVALID_REQUEST", "Group name must not be empty");
    return { kind: "group", groupId: name };
  }
  throw new BrokerError("INVALID_REQUEST", `Unsupported resource type ${type}.`);
}

/** The same for configs to be altered: there are no defaults of all topics, nor of all groups. */
export function alteredResource(
  { resourceType: type, resourceName: name }: NamedResource,
  { broker }: Pick<HandlerContext, "broker">,
): ConfigResource {
  if (type === resourceType.topic) {
    if (name === "") {
      throw new BrokerError("INVALID_REQUEST", "Default topic resources are not allowed.");
    }
    return knownTopic(name, broker);
  }
  if (type === resourceType.broker) {
    if (name === "") return { kind: "broker", broker: null };
    checkOwnId(name, { brokerId: broker.brokerId, expected: ` ${broker.brokerId},` });
    return { kind: "broker", broker: broker.brokerId };
  }
  if (type === resourceType.group) {
    if (name === "") {
      throw new BrokerError("INVALID_REQUEST", "Default group resources are not allowed.");
    }
    return { kind: "group", groupId: name };
  }
  throw new BrokerError("INVALID_REQUEST", `Unknown resource type ${type}`);
}

/**
 * Altering what has no configs here: a client metrics subscription or a logger. Every name of a config is an
 * unknown one. Returns false for resources that have configs.
 */
export function refuseAltering(
  { resourceType: type, resourceName: name }: NamedResource,
  configs: readonly { readonly name: string }[],
  { broker }: Pick<HandlerContext, "broker">,
): boolean {
  const key = configs[0]?.name;
  if (type === resourceType.clientMetrics) {
    if (name === "") throw new BrokerError("INVALID_REQUEST", "Subscription name can't be empty");
    if (key)
      throw new BrokerError("INVALID_REQUEST", `Unknown client metrics configuration: ${key}`);
    return true;
  }
  if (type === resourceType.brokerLogger) {
    checkOwnId(name, { brokerId: broker.brokerId, expected: ` ${broker.brokerId},` });
    if (key) throw new BrokerError("INVALID_CONFIG", `Logger ${key} does not exist!`);
    return true;
  }
  return false;
}

/** INVALID_REQUEST unless `name` is this broker's id. */
export function checkOwnId(
  name: string,
  { brokerId, expected }: { brokerId: number; expected: string },
): void {
  if (!/^[+-]?[0-9]{1,10}$/.test(name)) {
    throw new BrokerError("INVALID_REQUEST", `Broker id must be an integer, but it is: ${name}`);
  }
  if (Number(name) === brokerId) return;
  throw new BrokerError(
    "INVALID_REQUEST",
    `Unexpected broker id, expected${expected} but received ${name}`,
  );
}

function knownTopic(name: string, broker: Broker): ConfigResource {
  if (broker.cluster().topics.has(name)) return { kind: "topic", name };
  throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `The topic '${name}' does not exist.`);
}
