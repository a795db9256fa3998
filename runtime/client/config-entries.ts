// Config entries as brokers send them, turned into the names the rest of Timberline uses. Only `admin.ts`.

import type { ConfigEntry, ConfigSource, ConfigType } from "../broker.ts";
import type { describeConfigs } from "../kafka/apis/describe-configs.ts";
import { configSource, configType } from "../kafka/config-resources.ts";
import type { ResponseOf } from "../kafka/schema.ts";

type WireEntry = ResponseOf<typeof describeConfigs>["results"][number]["configs"][number];

const sources = inverted<ConfigSource>(configSource);
const types = inverted<ConfigType>(configType);

export function configEntry(entry: WireEntry): ConfigEntry {
  return {
    name: entry.name,
    value: entry.value,
    source: sourceOf(entry.configSource),
    readOnly: entry.readOnly,
    sensitive: entry.isSensitive,
    type: types.get(entry.configType) ?? "STRING",
    documentation: entry.documentation ?? "",
    synonyms: entry.synonyms.map(({ name, value, source }) => ({
      name,
      value,
      source: sourceOf(source),
    })),
  };
}

/** Sources that other brokers may have (loggers, client metrics) were set while running. */
function sourceOf(wire: number): ConfigSource {
  return sources.get(wire) ?? "DYNAMIC_BROKER_CONFIG";
}

function inverted<T extends string>(numbers: Readonly<Record<T, number>>): Map<number, T> {
  return new Map(Object.entries<number>(numbers).map(([name, wire]) => [wire, name as T]));
}
