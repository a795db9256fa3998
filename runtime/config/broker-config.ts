// BrokerConfig: the values of this broker, in layers, each with where it comes from. Immutable: a dynamic
// change makes a new one (`withDynamic`). Getters are typed by the table, so a wrong key or type does not compile.

import type { BROKER_KEYS, BrokerKeyName } from "./broker-keys.ts";
import { type ConfigKey, splitList } from "./key.ts";
import { findBrokerKey } from "./keys.ts";
import { type KafkaListener, kafkaListeners } from "./listeners.ts";
import { type FlushMode, type HostPort, isEveryAddress, parseFlushMode } from "./rules.ts";
import { checkPlain, toNumber } from "./value.ts";

/** Weakest first. */
export const LAYERS = [
  "default",
  "file",
  "environment",
  "set",
  "flag",
  "cluster",
  "broker",
] as const;
export type LayerName = (typeof LAYERS)[number];

/** A canonical value and the place it was written, for people: `timberline.toml:14`, `--flush`. */
export interface Setting {
  readonly name: string;
  readonly text: string;
  readonly layer: LayerName;
  readonly place: string;
}

/** The values one layer holds, by key name. */
export type LayerValues = ReadonlyMap<string, { readonly text: string; readonly place: string }>;
export type Layers = { readonly [name in Exclude<LayerName, "default">]?: LayerValues };

type Keys = typeof BROKER_KEYS;
type Named<T> = { [N in BrokerKeyName]: Keys[N]["type"] extends T ? N : never }[BrokerKeyName];
export type NumberKey = Named<"INT" | "LONG" | "DOUBLE">;
export type FlagKey = Named<"BOOLEAN">;
export type TextKey = Named<"STRING" | "PASSWORD">;
export type ListKey = Named<"LIST">;

export class BrokerConfig {
  readonly #layers: Layers;
  readonly #effective = new Map<string, Setting | null>();

  constructor(layers: Layers = {}) {
    this.#layers = layers;
  }

  /** Kafka's "no limit" (the largest LONG) is Infinity. Throws if the key has no value. */
  number(name: NumberKey): number {
    return toNumber(this.#required(name));
  }

  flag(name: FlagKey): boolean {
    return this.#required(name) === "true";
  }

  text(name: TextKey): string | undefined {
    return this.effective(name)?.text;
  }

  list(name: ListKey): readonly string[] {
    return splitList(this.#required(name));
  }

  get nodeId(): number {
    return this.number("node.id");
  }

  get dataDir(): string {
    return this.#required("log.dirs");
  }

  get flush(): FlushMode {
    return parseFlushMode(this.#required("timberline.flush")) as FlushMode;
  }

  /** All listeners of the Kafka door; the first is the one that brokers use among themselves. */
  get kafkaListeners(): readonly KafkaListener[] {
    return kafkaListeners({
      listeners: this.#required("listeners"),
      advertised: this.text("advertised.listeners"),
      protocols: this.#required("listener.security.protocol.map"),
      interBroker: this.text("inter.broker.listener.name"),
    });
  }

  /** Where the first of them listens; host "0.0.0.0" for every address. */
  get kafkaListener(): HostPort {
    const { host, port } = this.kafkaListeners[0]!;
    return { host, port };
  }

  /** Where its clients are told to connect; undefined: the address listened on, with the port it got. */
  get advertised(): HostPort | undefined {
    return this.kafkaListeners[0]!.advertised;
  }

  /** Where the HTTP door listens; undefined when it is closed. */
  get httpListener(): HostPort | undefined {
    if (!this.flag("timberline.http.enable")) return undefined;
    const host = this.text("timberline.http.host") ?? this.kafkaListener.host;
    return {
      host: isEveryAddress(host) ? "0.0.0.0" : host,
      port: this.number("timberline.http.port"),
    };
  }

  /**
   * The value that counts for a key, or undefined when it has none. The strongest layer that names the key or
   * a weaker name for it (`log.retention.hours`) wins; within a layer the stronger name does.
   */
  effective(name: string): Setting | undefined {
    let setting = this.#effective.get(name);
    if (setting === undefined) {
      setting = this.#resolve(name) ?? null;
      this.#effective.set(name, setting);
    }
    return setting ?? undefined;
  }

  /** What each layer says of exactly this name, strongest first, the default included if there is one. */
  settingsOf(name: string): Setting[] {
    const settings: Setting[] = [];
    for (const layer of [...LAYERS].reverse()) {
      const setting = this.#in(layer, name);
      if (setting) settings.push(setting);
    }
    return settings;
  }

  /** The same with other dynamic values: those for all brokers and those for this one, as persisted. */
  withDynamic(dynamic: {
    cluster: ReadonlyMap<string, string>;
    broker: ReadonlyMap<string, string>;
  }): BrokerConfig {
    return new BrokerConfig({
      ...this.#layers,
      cluster: dynamicLayer(dynamic.cluster, "dynamic, all brokers"),
      broker: dynamicLayer(dynamic.broker, "dynamic, this broker"),
    });
  }

  /** Values set dynamically in one of the two dynamic layers. */
  dynamicValues(layer: "cluster" | "broker"): LayerValues {
    return this.#layers[layer] ?? new Map();
  }

  #required(name: BrokerKeyName): string {
    const setting = this.effective(name);
    if (!setting) throw new Error(`config key ${name} has no value and no default`);
    return setting.text;
  }

  #resolve(name: string): Setting | undefined {
    const key = findBrokerKey(name);
    if (!key) return undefined;
    for (const layer of [...LAYERS].reverse()) {
      const own = this.#in(layer, name);
      if (own) return own;
      for (const { name: other, times } of key.fallbacks) {
        const setting = this.#in(layer, other);
        if (setting) return { ...setting, text: scaled(setting.text, times) };
      }
    }
    return undefined;
  }

  #in(layer: LayerName, name: string): Setting | undefined {
    if (layer === "default") return defaultOf(findBrokerKey(name));
    const value = this.#layers[layer]?.get(name);
    return value && { name, text: value.text, layer, place: value.place };
  }
}

/** Persisted dynamic values whose key or value this version does not take are passed over, not obeyed. */
function dynamicLayer(values: ReadonlyMap<string, string>, place: string): LayerValues {
  const layer = new Map<string, { text: string; place: string }>();
  for (const [name, value] of values) {
    const key = findBrokerKey(name);
    const checked = key && key.dynamic !== "read-only" ? checkPlain(key, value) : undefined;
    if (checked && "text" in checked) layer.set(name, { text: checked.text, place });
  }
  return layer;
}

function defaultOf(key: ConfigKey | undefined): Setting | undefined {
  if (!key || key.default === null) return undefined;
  return { name: key.name, text: key.default, layer: "default", place: "default" };
}

/** Hours and minutes to milliseconds; negative means "no limit" in any unit. */
function scaled(text: string, times: number): string {
  if (times === 1) return text;
  const value = Number(text);
  return value < 0 ? "-1" : String(value * times);
}
