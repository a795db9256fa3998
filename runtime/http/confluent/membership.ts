// Membership: an instance as a member of its group, by the consumer protocol (KIP-848). One request says all of it and
// the coordinator assigns, so whichever node has the instance's state can speak for it. What is given back is first
// out of the state and then told, so no node hands out a record that others may read by then.

import type { TopicPartition } from "../../broker.ts";
import type { BrokerError } from "../../errors.ts";
import type {
  ConsumerHeartbeat,
  ConsumerHeartbeatAnswer,
  TopicIdPartitions,
} from "../../group-coordinator.ts";
import { busy } from "../body.ts";
import type { Door } from "../route.ts";
import { hasCode } from "./error.ts";
import { type Held, holding, type Instance, isSubscribed, keyOf, sameHeld } from "./instance.ts";
import type { InstanceTable } from "./instance-table.ts";

/** How long it may hold what goes to others: nodes give back at the next heartbeat, whatever clients do. */
const rebalanceTimeoutMs = 60_000;
const heartbeatMs = 5_000;
/** Until the coordinator wants nothing more: join, give back, take. */
const stepsMax = 8;
const beatsRememberedMax = 10_000;

export class Membership {
  readonly #door: Door;
  readonly #table: InstanceTable;
  /** Monotonic; when this node last spoke for an instance. */
  readonly #beats = new Map<string, { atMs: number; everyMs: number }>();

  constructor(door: Door, table: InstanceTable) {
    this.#door = door;
    this.#table = table;
  }

  /** Speaks for the instance if it is time to. Returns it as it is then. */
  async keep(instance: Instance): Promise<Instance> {
    if (!isSubscribed(instance)) return instance;
    const beat = this.#beats.get(keyOf(instance));
    const nowMs = this.#door.platform.clock.monotonicMs();
    const isDue = beat === undefined || nowMs - beat.atMs >= beat.everyMs;
    return instance.epoch === 0 || isDue ? this.speak(instance) : instance;
  }

  /** One heartbeat, and those that follow from its answer. */
  async speak(instance: Instance): Promise<Instance> {
    let current = instance;
    for (let step = 0; step < stepsMax && isSubscribed(current); step++) {
      const told = await this.#heartbeat(current);
      const next = told === "outside" ? outside(current) : this.#assigned(current, told);
      if (next === current) return current;
      const stored = await this.#table.put(current, next);
      current = stored ?? (await this.#table.get(instance));
    }
    return current;
  }

  /** Out of the group; where it was never, nothing happens. */
  async leave(instance: Instance): Promise<void> {
    this.#beats.delete(keyOf(instance));
    if (instance.epoch === 0) return;
    try {
      await this.#door.broker.groups.consumerHeartbeat({
        ...request(instance),
        memberEpoch: -1,
        owned: null,
      });
    } catch (error) {
      if (!hasCode(error, "UNKNOWN_MEMBER_ID", "GROUP_ID_NOT_FOUND")) throw error;
    }
  }

  async #heartbeat(instance: Instance): Promise<ConsumerHeartbeatAnswer | "outside"> {
    const atMs = this.#door.platform.clock.monotonicMs();
    try {
      const told = await this.#door.broker.groups.consumerHeartbeat(request(instance));
      const everyMs = Math.min(heartbeatMs, told.heartbeatIntervalMs);
      if (this.#beats.size >= beatsRememberedMax) this.#beats.clear();
      this.#beats.set(keyOf(instance), { atMs, everyMs });
      return told;
    } catch (error) {
      if (!isOutside(error)) throw error;
      // Another node may have spoken meanwhile: then its word counts.
      if (instance.epoch > 0) return "outside";
      const isFenced = hasCode(error, "FENCED_MEMBER_EPOCH");
      throw isFenced ? busy("the consumer is joining its group; try again") : error;
    }
  }

  #assigned(instance: Instance, { memberEpoch, assignment }: ConsumerHeartbeatAnswer): Instance {
    const held =
      assignment === null ? instance.held : holding(instance, this.#places(instance, assignment));
    if (memberEpoch === instance.epoch && sameHeld(held, instance.held)) return instance;
    return { ...instance, epoch: memberEpoch, held };
  }

  #places(
    { held }: Instance,
    assignment: readonly TopicIdPartitions[],
  ): (TopicPartition & { topicId: string })[] {
    const { topicsById } = this.#door.broker.cluster();
    return assignment.flatMap(({ topicId, partitions }) => {
      // Another node may know of a topic that this one has not heard of.
      const known = held.find((each) => each.topicId === topicId)?.topic;
      const topic = topicsById.get(topicId)?.name ?? known;
      // Named again at the next heartbeat.
      if (topic === undefined) return [];
      return [...partitions]
        .sort((a, b) => a - b)
        .map((partition) => ({ topic, topicId, partition }));
    });
  }
}

/** Everything each time: the answer then names all that it shall hold. */
function request(instance: Instance): ConsumerHeartbeat {
  const { group, name, memberId, epoch, topics, pattern, held } = instance;
  return {
    groupId: group,
    memberId,
    memberEpoch: epoch,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs,
    topicNames: topics,
    topicRegex: pattern ?? "",
    serverAssignor: null,
    owned: epoch === 0 ? [] : byTopic(held),
    clientId: name,
    clientHost: "/http",
  };
}

function byTopic(held: readonly Held[]): TopicIdPartitions[] {
  const topics = new Map<string, number[]>();
  for (const { topicId, partition } of held) {
    const partitions = topics.get(topicId);
    if (partitions === undefined) topics.set(topicId, [partition]);
    else partitions.push(partition);
  }
  return Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions }));
}

/** Others may have read on where it was: it begins where the group is. */
function outside(instance: Instance): Instance {
  return { ...instance, epoch: 0, held: [], handed: null };
}

/** The group does not know it, or not so. */
export function isOutside(error: unknown): error is BrokerError {
  return hasCode(
    error,
    "UNKNOWN_MEMBER_ID",
    "FENCED_MEMBER_EPOCH",
    "STALE_MEMBER_EPOCH",
    "ILLEGAL_GENERATION",
    "GROUP_ID_NOT_FOUND",
  );
}
