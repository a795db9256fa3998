// The changes that lead from one image to another, for watchers when a whole image replaced the one before. Pure.

import { type ClusterImage, changesOf, type ImageChange } from "./cluster-image.ts";
import type { BrokerRecord, TopicRecord } from "./control-plane.ts";

export function differenceOf(before: ClusterImage, after: ClusterImage): ImageChange[] {
  return [...removals(before, after), ...[...changesOf(after)].flatMap((change) => news(change))];

  function news(change: ImageChange): ImageChange[] {
    if (change.put === "topic") {
      const known = before.topicsById.get(change.topic.id);
      return known && sameTopic(known, change.topic) ? [] : [change];
    }
    if (change.put === "broker") {
      const known = before.brokers.get(change.broker.id);
      if (known && sameBroker(known, change.broker)) return [];
      return [{ put: "member", broker: change.broker }];
    }
    if (change.put === "broker-configs") {
      const known = before.brokerConfigs.get(change.broker);
      return known && sameConfigs(known, change.configs) ? [] : [change];
    }
    if (change.put === "group-configs") {
      const known = before.groupConfigs.get(change.groupId);
      return known && sameConfigs(known, change.configs) ? [] : [change];
    }
    return [change];
  }
}

const NONE: ReadonlyMap<string, string> = new Map();

function* removals(before: ClusterImage, after: ClusterImage): Generator<ImageChange> {
  for (const topic of before.topics.values()) {
    if (!after.topicsById.has(topic.id)) yield { put: "topic-removal", name: topic.name };
  }
  for (const id of before.brokers.keys()) {
    if (!after.brokers.has(id)) yield { put: "member-removal", id };
  }
  for (const broker of before.brokerConfigs.keys()) {
    if (!after.brokerConfigs.has(broker)) yield { put: "broker-configs", broker, configs: NONE };
  }
  for (const groupId of before.groupConfigs.keys()) {
    if (!after.groupConfigs.has(groupId)) yield { put: "group-configs", groupId, configs: NONE };
  }
}

/** A partition's two epochs name its state. */
function sameTopic(a: TopicRecord, b: TopicRecord): boolean {
  return (
    a.partitions.length === b.partitions.length &&
    sameConfigs(a.configs, b.configs) &&
    a.partitions.every((one, index) => {
      const other = b.partitions[index]!;
      return one.partitionEpoch === other.partitionEpoch && one.leaderEpoch === other.leaderEpoch;
    })
  );
}

function sameBroker(a: BrokerRecord, b: BrokerRecord): boolean {
  return a.epoch === b.epoch && a.fenced === b.fenced && a.draining === b.draining;
}

function sameConfigs(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}
