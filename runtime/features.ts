// Features of the whole cluster (KIP-584) and the levels they are used at. A level that somebody set is a cluster-wide
// config, so it is kept, restored and known to all brokers like any other; each change raises the epoch, by which clients
// tell old answers from new ones. `metadata.version` is what this version writes and cannot be chosen.

import type { ClusterState } from "../cluster/control-plane.ts";

export interface Feature {
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** Where its level is kept; absent: it is always the highest. */
  readonly key?: string;
}

export const features: readonly Feature[] = [
  /** Kafka 4.1's level (4.1-IV1), and the oldest it can be set to (3.3-IV3). */
  { name: "metadata.version", minVersion: 7, maxVersion: 27 },
  /** Level 1: the consumer protocol (KIP-848). */
  feature("group.version", 1),
  /** Level 2: transaction protocol V2 (KIP-890). */
  feature("transaction.version", 2),
];

export const featuresEpochKey = "timberline.features.epoch";

type Configured = Pick<ClusterState, "brokerConfigs">;

export function featureLevel(cluster: Configured, { key, maxVersion }: Feature): number {
  return key === undefined ? maxVersion : numberOf(cluster, key, maxVersion);
}

export function featuresEpoch(cluster: Configured): number {
  return numberOf(cluster, featuresEpochKey, 0);
}

/** Whether groups may use the consumer protocol. */
export function hasConsumerProtocol(cluster: Configured): boolean {
  return featureLevel(cluster, features[1]!) >= 1;
}

function feature(name: string, maxVersion: number): Feature {
  return { name, minVersion: 0, maxVersion, key: `timberline.feature.${name}` };
}

function numberOf({ brokerConfigs }: Configured, key: string, fallback: number): number {
  const text = brokerConfigs.get(null)?.get(key);
  return text === undefined ? fallback : Number(text);
}
