// GroupConfig: what the configs of one consumer group mean, typed, after the broker's defaults; and what they must
// be. Pure.

import { BrokerError } from "../errors.ts";
import type { BrokerConfig, NumberKey } from "./broker-config.ts";
import { GROUP_CONFIG_KEYS, type GroupConfigKeyName } from "./group-config-keys.ts";
import { findGroupKey } from "./keys.ts";
import { checkPlain } from "./value.ts";

export interface GroupConfig {
  readonly heartbeatIntervalMs: number;
  readonly sessionTimeoutMs: number;
}

const heartbeatInterval = "consumer.heartbeat.interval.ms";
const sessionTimeout = "consumer.session.timeout.ms";

/** The group's own values over the broker's. Values that this version does not take count as not set. */
export function resolveGroupConfig(
  overrides: ReadonlyMap<string, string> | undefined,
  broker: BrokerConfig,
): GroupConfig {
  return {
    heartbeatIntervalMs: Number(groupValue(heartbeatInterval, overrides, broker)),
    sessionTimeoutMs: Number(groupValue(sessionTimeout, overrides, broker)),
  };
}

/** The canonical text that counts for a group's key. */
export function groupValue(
  name: GroupConfigKeyName,
  overrides: ReadonlyMap<string, string> | undefined,
  broker: BrokerConfig,
): string {
  const key = findGroupKey(name)!;
  const written = overrides?.get(name);
  const checked = written === undefined ? undefined : checkPlain(key, written);
  if (checked && "text" in checked) return checked.text;
  return broker.effective(key.brokerKey!)?.text ?? String(GROUP_CONFIG_KEYS[name].default);
}

/** INVALID_CONFIG where set values leave the broker's bounds or do not fit together. */
export function validateGroupConfigs(
  overrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
): void {
  for (const [name, bound] of [
    [heartbeatInterval, "heartbeat.interval.ms"],
    [sessionTimeout, "session.timeout.ms"],
  ] as const) {
    if (!overrides.has(name)) continue;
    const value = Number(overrides.get(name));
    const [least, most]: NumberKey[] = [
      `group.consumer.min.${bound}`,
      `group.consumer.max.${bound}`,
    ];
    requireThat(value >= broker.number(least!), name, "must be greater than or equal to", least!);
    requireThat(value <= broker.number(most!), name, "must be less than or equal to", most!);
  }
  const { heartbeatIntervalMs, sessionTimeoutMs } = resolveGroupConfig(overrides, broker);
  const outlives = sessionTimeoutMs > heartbeatIntervalMs;
  requireThat(outlives, sessionTimeout, "must be greater than", heartbeatInterval);
}

function requireThat(isTrue: boolean, name: string, relation: string, other: string): void {
  if (!isTrue) throw new BrokerError("INVALID_CONFIG", `${name} ${relation} ${other}`);
}
