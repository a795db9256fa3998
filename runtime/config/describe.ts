// DescribeConfigs: every value that applies to a topic or a broker, with its source and synonyms, as Kafka
// gives them. Where Kafka forgets a synonym (retention.ms set through log.retention.hours shows none), it is
// listed here with its true source.

import type { ConfigEntry, ConfigSource } from "../broker.ts";
import type { BrokerConfig, LayerName, Setting } from "./broker-config.ts";
import { groupValue } from "./group-config.ts";
import type { GroupConfigKeyName } from "./group-config-keys.ts";
import type { ConfigKey } from "./key.ts";
import { allKeys, findBrokerKey, type TopicKeyName } from "./keys.ts";
import { topicValue } from "./topic-config.ts";

type Synonym = ConfigEntry["synonyms"][number];

const SOURCES: { readonly [layer in LayerName]: ConfigSource } = {
  default: "DEFAULT_CONFIG",
  file: "STATIC_BROKER_CONFIG",
  environment: "STATIC_BROKER_CONFIG",
  set: "STATIC_BROKER_CONFIG",
  flag: "STATIC_BROKER_CONFIG",
  cluster: "DYNAMIC_DEFAULT_BROKER_CONFIG",
  broker: "DYNAMIC_BROKER_CONFIG",
};

/** All topic configs, or those named; unknown names are left out. */
export function describeTopicConfigs(
  overrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
  names: readonly string[] | null = null,
): ConfigEntry[] {
  return selected("topic", names).map((key) => {
    const value = topicValue(key.name as TopicKeyName, overrides, broker);
    const synonyms = key.brokerKey === null ? [] : synonymsOf(key.brokerKey, broker);
    if (overrides.has(key.name)) {
      synonyms.unshift({ name: key.name, value, source: "DYNAMIC_TOPIC_CONFIG" });
    }
    return entry(key, { value, synonyms, readOnly: false });
  });
}

/** All configs of a consumer group, or those named. Kafka names no synonym but the group's own. */
export function describeGroupConfigs(
  overrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
  names: readonly string[] | null = null,
): ConfigEntry[] {
  return selected("group", names).map((key) => {
    const value = groupValue(key.name as GroupConfigKeyName, overrides, broker);
    const own: Synonym = { name: key.name, value, source: "DYNAMIC_GROUP_CONFIG" };
    return entry(key, { value, synonyms: overrides.has(key.name) ? [own] : [], readOnly: false });
  });
}

/** All broker configs of this broker, or those named; unknown names are left out. */
export function describeBrokerConfigs(
  config: BrokerConfig,
  names: readonly string[] | null = null,
): ConfigEntry[] {
  return selected("broker", names).map((key) => {
    const synonyms = isNodeId(key) ? nodeIdSynonyms(key, config) : ownSynonyms(key, config);
    return entry(key, {
      value: synonyms[0]?.value ?? null,
      synonyms,
      readOnly: key.dynamic === "read-only",
    });
  });
}

/** The defaults of all brokers (Kafka's empty resource name): only what was set dynamically. */
export function describeClusterDefaults(
  config: BrokerConfig,
  names: readonly string[] | null = null,
): ConfigEntry[] {
  const values = config.dynamicValues("cluster");
  return selected("broker", names)
    .filter(({ name }) => values.has(name))
    .map((key) => {
      const value = values.get(key.name)!.text;
      const synonym: Synonym = {
        name: key.name,
        value: key.sensitive ? null : value,
        source: "DYNAMIC_DEFAULT_BROKER_CONFIG",
      };
      return entry(key, { value, synonyms: [synonym], readOnly: false });
    });
}

/**
 * Values of a broker key and of the weaker names for it; one per name and source, strongest first. Weaker names
 * are never dynamic and stronger ones beside them have no default, so name after name is the right order.
 */
function synonymsOf(name: string, config: BrokerConfig): Synonym[] {
  const key = findBrokerKey(name);
  if (!key) return [];
  const names = [name, ...key.fallbacks.map((fallback) => fallback.name)];
  const found = names.flatMap((each) => oncePerSource(config.settingsOf(each)));
  return found.map(({ name: each, text, layer }) => ({
    name: each,
    value: key.sensitive ? null : text,
    source: SOURCES[layer],
  }));
}

/** File, environment and flags are one source to Kafka: the strongest of them speaks. */
function oncePerSource(settings: readonly Setting[]): Setting[] {
  const seen = new Set<ConfigSource>();
  return settings.filter(({ layer }) => {
    const source = SOURCES[layer];
    if (seen.has(source)) return false;
    seen.add(source);
    return true;
  });
}

/** A broker key's own value comes first: what a weaker name says above it is that name's affair. */
function ownSynonyms(key: ConfigKey, config: BrokerConfig): Synonym[] {
  const synonyms = synonymsOf(key.name, config);
  const own = synonyms.findIndex(({ name }) => name === key.name);
  return own < 0 ? [] : synonyms.slice(own);
}

/** The number counts under either name, whichever was used to set it. */
function nodeIdSynonyms(key: ConfigKey, config: BrokerConfig): Synonym[] {
  const { text, layer } = config.effective("node.id") as Setting;
  return [{ name: key.name, value: text, source: SOURCES[layer] }];
}

/** Kafka shows the one number under both names. */
function isNodeId({ name }: ConfigKey): boolean {
  return name === "node.id" || name === "broker.id";
}

function selected(scope: ConfigKey["scope"], names: readonly string[] | null): ConfigKey[] {
  const keys = allKeys(scope);
  if (names === null) return [...keys];
  const wanted = new Set(names);
  return keys.filter(({ name }) => wanted.has(name));
}

function entry(
  key: ConfigKey,
  found: { value: string | null; synonyms: readonly Synonym[]; readOnly: boolean },
): ConfigEntry {
  return {
    name: key.name,
    value: key.sensitive ? null : found.value,
    source: found.synonyms[0]?.source ?? "DEFAULT_CONFIG",
    readOnly: found.readOnly,
    sensitive: key.sensitive,
    type: key.type,
    documentation: key.doc,
    synonyms: found.synonyms,
  };
}
