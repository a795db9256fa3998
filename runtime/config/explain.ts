// `config explain`: everything there is to know about a key and the value it has now, as data. The command line
// makes it text; secrets are never in it.

import type { BrokerConfig, LayerName, Setting } from "./broker-config.ts";
import type { ConfigKey, KeyDynamic } from "./key.ts";
import { allKeys, findBrokerKey, findGroupKey, findTopicKey, variableOf } from "./keys.ts";
import { unitExamples } from "./value.ts";

export interface ExplainedLayer {
  readonly layer: LayerName;
  /** `timberline.toml:14`, `TIMBERLINE_FLUSH`, `--set`, `default`. */
  readonly place: string;
  /** The key itself or a weaker name for it. */
  readonly name: string;
  readonly value: string;
}

export interface Explanation {
  readonly name: string;
  readonly scope: ConfigKey["scope"];
  readonly doc: string;
  readonly type: string;
  readonly unit: string | null;
  readonly allowed: string;
  /** How else a number may be written in files, variables and flags. */
  readonly units: string | null;
  readonly default: string | null;
  /** read-only: takes effect at the next start. Keys of topics and groups are always dynamic. */
  readonly dynamic: KeyDynamic | "topic" | "group";
  /** Whether Kafka has a key of this name. */
  readonly kafka: boolean;
  /** Environment variable; keys of topics and groups have none. */
  readonly variable: string | null;
  /** Of a topic's or group's key: the broker key with its default. */
  readonly brokerKey: string | null;
  /** Of a broker key: the topic keys it is the default of. */
  readonly topicKeys: readonly string[];
  readonly weakerNames: readonly string[];
  readonly related: readonly string[];
  readonly value: string | null;
  /** Strongest first; the first is the winner. */
  readonly layers: readonly ExplainedLayer[];
}

/** A broker key, or a topic's or group's with what the broker gives it; undefined for an unknown name. */
export function explain(name: string, config: BrokerConfig): Explanation | undefined {
  const key = findBrokerKey(name) ?? findTopicKey(name) ?? findGroupKey(name);
  return key && explainKey(key, config);
}

/** All broker keys whose value is not the default. */
export function explainDifferences(config: BrokerConfig): Explanation[] {
  return allKeys("broker")
    .map((key) => explainKey(key, config))
    .filter(({ layers }) => layers[0] !== undefined && layers[0].layer !== "default");
}

function explainKey(key: ConfigKey, config: BrokerConfig): Explanation {
  const layers = layersOf(key, config);
  const source = key.scope === "broker" ? key.name : key.brokerKey;
  const value = (source === null ? undefined : config.effective(source)?.text) ?? key.default;
  return {
    name: key.name,
    scope: key.scope,
    doc: key.doc,
    type: key.type,
    unit: key.unit,
    allowed: key.rule.allowed,
    units: unitExamples(key) ?? null,
    default: key.default,
    dynamic: key.scope === "broker" ? key.dynamic : key.scope,
    kafka: !key.name.startsWith("timberline."),
    variable: key.scope === "broker" ? variableOf(key.name) : null,
    brokerKey: key.brokerKey,
    topicKeys: topicKeysOf(key),
    weakerNames: key.fallbacks.map(({ name }) => name),
    related: key.related,
    value: key.sensitive && value !== null ? hidden(layers[0]) : value,
    layers,
  };
}

function layersOf(key: ConfigKey, config: BrokerConfig): ExplainedLayer[] {
  const broker = key.scope === "broker" ? key : findBrokerKey(key.brokerKey ?? "");
  if (!broker) return [];
  const winner = config.effective(broker.name);
  const names = [broker.name, ...broker.fallbacks.map(({ name }) => name)];
  const settings = names.flatMap((name) => config.settingsOf(name));
  const isWinner = (one: Setting) => one.name === winner?.name && one.layer === winner.layer;
  const ordered = [...settings.filter(isWinner), ...settings.filter((one) => !isWinner(one))];
  return ordered.map(({ layer, place, name, text }) => ({
    layer,
    place,
    name,
    value: broker.sensitive ? `set (from ${place})` : text,
  }));
}

function topicKeysOf(key: ConfigKey): string[] {
  if (key.scope !== "broker") return [];
  return allKeys("topic")
    .filter(({ brokerKey }) => brokerKey === key.name)
    .map(({ name }) => name);
}

function hidden(layer: ExplainedLayer | undefined): string {
  return layer?.value ?? "set";
}
