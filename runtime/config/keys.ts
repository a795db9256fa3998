// Look-ups in the tables of keys: by name, by environment variable, and the nearest to a mistyped name.

import { BROKER_KEYS, type BrokerKeyName } from "./broker-keys.ts";
import { GROUP_CONFIG_KEYS } from "./group-config-keys.ts";
import type { ConfigKey, KeySpec } from "./key.ts";
import { TOPIC_KEYS, type TopicKeyName } from "./topic-keys.ts";

export type { BrokerKeyName, TopicKeyName };

/** Further apart than this and a suggestion would be a guess. */
const DISTANCE_MAX = 4;
const NAME_LENGTH_MAX = 120;
const VARIABLE_PREFIX = "TIMBERLINE_";

const brokerKeys = table("broker", BROKER_KEYS);
const topicKeys = table("topic", TOPIC_KEYS);
const groupKeys = table("group", GROUP_CONFIG_KEYS);
const tables = { broker: brokerKeys, topic: topicKeys, group: groupKeys } as const;
let variables: Map<string, ConfigKey> | undefined;

/** All keys of a scope, by name. */
export function allKeys(scope: ConfigKey["scope"]): readonly ConfigKey[] {
  return [...tables[scope].values()];
}

export function findBrokerKey(name: string): ConfigKey | undefined {
  return brokerKeys.get(name);
}

export function findTopicKey(name: string): ConfigKey | undefined {
  return topicKeys.get(name);
}

export function findGroupKey(name: string): ConfigKey | undefined {
  return groupKeys.get(name);
}

/** The broker key a variable such as TIMBERLINE_LOG_RETENTION_MS stands for. */
export function keyOfVariable(variable: string): ConfigKey | undefined {
  variables ??= new Map([...brokerKeys.values()].map((key) => [variableOf(key.name), key]));
  return variables.get(variable);
}

/** `timberline.http.port` and `log.retention.ms` become TIMBERLINE_HTTP_PORT and TIMBERLINE_LOG_RETENTION_MS. */
export function variableOf(name: string): string {
  const bare = name.startsWith("timberline.") ? name.slice("timberline.".length) : name;
  return VARIABLE_PREFIX + bare.replaceAll(".", "_").toUpperCase();
}

/** The variable a person most likely meant. */
export function nearestVariable(variable: string): string | undefined {
  const names = [...brokerKeys.keys()].map(variableOf);
  return nearest(variable, names);
}

export function isOurVariable(variable: string): boolean {
  return variable.startsWith(VARIABLE_PREFIX);
}

/** The known name a person most likely meant, or undefined when none is near. */
export function nearestKey(name: string, scope: ConfigKey["scope"]): string | undefined {
  const wanted = name.toLowerCase().replaceAll("_", ".").replaceAll("-", ".");
  return nearest(wanted, [...tables[scope].keys()]);
}

function nearest(wanted: string, names: readonly string[]): string | undefined {
  if (wanted.length > NAME_LENGTH_MAX) return undefined;
  let best: string | undefined;
  let bestDistance = Math.min(DISTANCE_MAX, Math.floor(wanted.length / 3)) + 1;
  for (const name of names) {
    const distance = name.endsWith(`.${wanted}`) ? 0 : editDistance(wanted, name, bestDistance);
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's distance with swapped neighbours counted as one; gives up at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        above[column]! + 1,
        current[column - 1]! + 1,
        above[column - 1]! + (same ? 0 : 1),
      );
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, before[column - 2]! + 1);
      current.push(cost);
    }
    before = above;
    above = current;
  }
  return above[b.length]!;
}

function table(scope: ConfigKey["scope"], specs: Readonly<Record<string, KeySpec>>) {
  const names = Object.keys(specs).sort();
  return new Map<string, ConfigKey>(
    names.map((name) => [name, { ...specs[name]!, name, scope }] as const),
  );
}
