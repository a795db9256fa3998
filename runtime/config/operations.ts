// AlterConfigs: from operations (set, append, subtract, delete) to the changes the control plane keeps, checked
// as Kafka checks them. Topics and groups refuse with INVALID_CONFIG, brokers with INVALID_REQUEST, as Kafka's do.

import type { ConfigChanges } from "../../cluster/control-plane.ts";
import type { ConfigOperation } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import { credentialPrefix } from "../security/user-names.ts";
import type { BrokerConfig } from "./broker-config.ts";
import { groupValue, validateGroupConfigs } from "./group-config.ts";
import type { GroupConfigKeyName } from "./group-config-keys.ts";
import { type ConfigKey, splitList } from "./key.ts";
import { findBrokerKey, findGroupKey, findTopicKey, type TopicKeyName } from "./keys.ts";
import { invalidValue, topicValue, unknownKey, validateTopicConfigs } from "./topic-config.ts";
import { checkPlain } from "./value.ts";

/** Whose configs: a topic's, a consumer group's, one broker's, or the default of all brokers. */
export type ConfigScope = "topic" | "group" | "broker" | "cluster";

export interface ConfigTarget {
  readonly scope: ConfigScope;
  /** What is set for the resource now. */
  readonly current: ReadonlyMap<string, string>;
  readonly config: BrokerConfig;
}

/** IncrementalAlterConfigs. Throws INVALID_CONFIG or INVALID_REQUEST; nothing is changed then. */
export function applyOperations(
  target: ConfigTarget,
  operations: readonly ConfigOperation[],
): ConfigChanges {
  refuseTwice(operations.map(({ name }) => name));
  const changes = new Map<string, string | null>();
  for (const operation of operations) {
    if (operation.op === "delete") {
      if (operation.name.startsWith(credentialPrefix)) continue;
      requireDynamic(operation.name, target.scope, { unknownAllowed: true });
      changes.set(operation.name, null);
    } else {
      const key = requireDynamic(operation.name, target.scope, { unknownAllowed: false })!;
      changes.set(key.name, checked(key, wanted(key, operation, target)));
    }
  }
  checkWhole(target, changes);
  return changes;
}

/** Old AlterConfigs: `configs` is all that stays; what it does not name goes back to its default. */
export function replaceConfigs(
  target: ConfigTarget,
  configs: ReadonlyMap<string, string>,
): ConfigChanges {
  const changes = new Map<string, string | null>();
  // Users are not configs: who replaces all of these does not mean them.
  const kept = [...target.current.keys()].filter((name) => !name.startsWith(credentialPrefix));
  for (const name of kept) changes.set(name, null);
  for (const [name, value] of configs) {
    const key = requireDynamic(name, target.scope, { unknownAllowed: false })!;
    changes.set(name, checked(key, value));
  }
  checkWhole(target, changes);
  return changes;
}

/** The values after the changes. */
export function mergeChanges(
  current: ReadonlyMap<string, string>,
  changes: ConfigChanges,
): Map<string, string> {
  const merged = new Map(current);
  for (const [name, value] of changes) {
    if (value === null) merged.delete(name);
    else merged.set(name, value);
  }
  return merged;
}

function wanted(
  key: ConfigKey,
  operation: Exclude<ConfigOperation, { op: "delete" }>,
  target: ConfigTarget,
): string {
  if (operation.op === "set") return operation.value;
  if (key.type !== "LIST") {
    const verb = operation.op.toUpperCase();
    throw refusal(key, `Can't ${verb} to key ${key.name} because its type is not LIST.`);
  }
  const items = splitList(valueNow(key, target));
  const named = splitList(operation.value);
  if (operation.op === "append") return [...new Set([...items, ...named])].join(",");
  return items.filter((item) => !named.includes(item)).join(",");
}

/** Lists grow from the value that counts now, the default included. */
function valueNow(key: ConfigKey, { scope, current, config }: ConfigTarget): string {
  if (scope === "topic") return topicValue(key.name as TopicKeyName, current, config);
  if (scope === "group") return groupValue(key.name as GroupConfigKeyName, current, config);
  return current.get(key.name) ?? config.effective(key.name)?.text ?? "";
}

function checked(key: ConfigKey, value: string): string {
  const result = checkPlain(key, value);
  if ("text" in result) return result.text;
  throw refusal(key, invalidValue(key, value, result.complaint));
}

const finders = { topic: findTopicKey, group: findGroupKey, broker: findBrokerKey };

function requireDynamic(
  name: string,
  scope: ConfigScope,
  { unknownAllowed }: { unknownAllowed: boolean },
): ConfigKey | undefined {
  const owner = scope === "cluster" ? "broker" : scope;
  const key = finders[owner](name);
  if (!key) {
    if (unknownAllowed) return undefined;
    throw new BrokerError(refusalCode(owner), unknownKey(name, owner));
  }
  if (owner !== "broker") return key;
  if (key.dynamic === "read-only") {
    throw refusal(
      key,
      `Cannot update these configs dynamically: ${name} (set it at start: --set ${name}=…)`,
    );
  }
  if (key.dynamic === "per-broker" && scope === "cluster") {
    throw refusal(
      key,
      `Cannot update these configs at default cluster level, broker id must be specified: ${name}`,
    );
  }
  return key;
}

/** The values of a topic or a group must also fit each other. */
function checkWhole({ scope, current, config }: ConfigTarget, changes: ConfigChanges): void {
  if (scope !== "topic" && scope !== "group") return;
  const merged = mergeChanges(current, changes);
  for (const name of merged.keys()) if (!finders[scope](name)) merged.delete(name);
  if (scope === "topic") validateTopicConfigs(merged);
  else validateGroupConfigs(merged, config);
}

function refuseTwice(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new BrokerError("INVALID_REQUEST", `Error due to duplicate config keys: ${twice}`);
}

function refusal(key: ConfigKey, message: string): BrokerError {
  return new BrokerError(refusalCode(key.scope), message);
}

function refusalCode(scope: ConfigKey["scope"]): "INVALID_CONFIG" | "INVALID_REQUEST" {
  return scope === "broker" ? "INVALID_REQUEST" : "INVALID_CONFIG";
}
