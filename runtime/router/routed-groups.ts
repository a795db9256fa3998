// RoutedGroups: consumer groups of the whole cluster, asked of their coordinators: the leader of a group's partition
// of __consumer_offsets. A list is asked of all of them.

import type { PartitionRecord } from "../../cluster/control-plane.ts";
import { coordinatorPartition } from "../coordinator-partition.ts";
import { BrokerError } from "../errors.ts";
import type {
  CommitRequest,
  ConsumerHeartbeat,
  FetchOffsetsRequest,
  GroupListing,
  GroupSummary,
} from "../group-coordinator.ts";
import type { About, Answer, Asked } from "../leader-questions.ts";
import type { RoutableGroups } from "../routable-broker.ts";
import { offsetsTopic } from "../topic-name.ts";
import type { Leader } from "./leader-calls.ts";
import { askLeader, type RouterHost } from "./router-host.ts";

export class RoutedGroups implements RoutableGroups {
  readonly #host: RouterHost;

  constructor(host: RouterHost) {
    this.#host = host;
  }

  find(groupId: string): Promise<number> {
    const { local, leaders } = this.#host;
    return leaders.retried(() => local.groups.find(groupId));
  }

  /** One list of one moment: asked again if a group may have been on its way from one coordinator to another. */
  list(): Promise<readonly GroupListing[]> {
    const { leaders } = this.#host;
    return leaders.retried(async () => {
      const before = this.#leaderships();
      if (before.some(({ leader }) => leader === -1)) {
        const what = `a partition of ${offsetsTopic} has no leader now`;
        throw new BrokerError("COORDINATOR_NOT_AVAILABLE", what);
      }
      const isSame = () => sameLeaderships(before, this.#leaderships());
      const ids = [...new Set(before.map(({ leader }) => leader))];
      const lists = await Promise.all(ids.map((id) => this.#listOf(id, isSame)));
      if (isSame()) return lists.flat();
      throw new BrokerError("NOT_COORDINATOR", "coordinators changed meanwhile");
    });
  }

  summary(groupId: string): Promise<GroupSummary> {
    return this.#atCoordinator(groupId, "group", groupId);
  }

  fetchOffsets(request: FetchOffsetsRequest) {
    return this.#atCoordinator(request.groupId, "group-offsets", request);
  }

  commitOffsets(request: CommitRequest) {
    return this.#atCoordinator(request.groupId, "group-commit", request);
  }

  /** A member may be asked to repeat what it said: a coordinator that died may have heard it. */
  consumerHeartbeat(request: ConsumerHeartbeat) {
    return this.#atCoordinator(request.groupId, "group-heartbeat", request);
  }

  async delete(groupId: string): Promise<void> {
    let times = 0;
    await this.#at(groupId, async (leader) => {
      times++;
      try {
        await this.#ask(leader, "group-deletion", groupId);
      } catch (error) {
        // Whoever was asked before may have done it, and could not say so any more.
        if (times === 1 || !isGone(error)) throw error;
      }
    });
  }

  #atCoordinator<A extends About>(groupId: string, about: A, asked: Asked<A>): Promise<Answer<A>> {
    return this.#at(groupId, (leader) => this.#ask(leader, about, asked));
  }

  /** Where there is no offsets topic yet, this broker knows as much as any. */
  #at<T>(groupId: string, ask: (leader: Leader | null) => Promise<T>): Promise<T> {
    const count = this.#leaderships().length;
    if (count === 0) return ask(null);
    const place = { topic: offsetsTopic, partition: coordinatorPartition(groupId, count) };
    return this.#host.leaders.at(place, ({ leader }) => ask(leader));
  }

  #ask<A extends About>(leader: Leader | null, about: A, asked: Asked<A>): Promise<Answer<A>> {
    return askLeader(this.#host, leader, about, asked);
  }

  #listOf(id: number, leads: () => boolean): Promise<readonly GroupListing[]> {
    const list = (leader: Leader | null) => this.#ask(leader, "groups", null);
    return this.#host.leaders.ask(id, list, leads);
  }

  #leaderships(): readonly PartitionRecord[] {
    return this.#host.local.cluster().topics.get(offsetsTopic)?.partitions ?? [];
  }
}

function sameLeaderships(a: readonly PartitionRecord[], b: readonly PartitionRecord[]): boolean {
  return a.length === b.length && a.every((each, i) => each.leaderEpoch === b[i]!.leaderEpoch);
}

function isGone(error: unknown): boolean {
  return error instanceof BrokerError && error.code === "GROUP_ID_NOT_FOUND";
}
