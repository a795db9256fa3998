// RoutedBroker: the Broker of an HTTP door in a cluster: what is led here is done here, the rest by its leader. A
// change of leaders only costs time: whatever an old leader refuses, or can no longer answer, is asked of the next. A
// batch whose fate nobody knows is stored again, so it may be there twice, as with a producer that retries.

import type { ClusterState } from "../../cluster/control-plane.ts";
import type {
  Appended,
  AppendRequest,
  Broker,
  ListedOffset,
  TakeFenceRequest,
  TopicPartition,
} from "../broker.ts";
import type { ClientPlatform } from "../client/api.ts";
import { BrokerError } from "../errors.ts";
import type { DescribedPartition, RoutableBroker } from "../routable-broker.ts";
import { LeaderCalls } from "./leader-calls.ts";
import { Leaders } from "./leaders.ts";
import { RoutedFetch } from "./routed-fetch.ts";
import { RoutedGroups } from "./routed-groups.ts";
import { describeAtLeaders } from "./routed-views.ts";
import type { RouterHost } from "./router-host.ts";

export class RoutedBroker implements RoutableBroker {
  readonly groups: RoutedGroups;
  readonly #local: Broker;
  readonly #platform: ClientPlatform;
  readonly #calls: LeaderCalls;
  readonly #leaders: Leaders;
  readonly #host: RouterHost<"ask" | "fetch">;

  constructor(platform: ClientPlatform, local: Broker & RoutableBroker) {
    this.#local = local;
    this.#platform = platform;
    this.#calls = new LeaderCalls(platform, local);
    this.#leaders = new Leaders(platform.clock, local);
    this.#host = { local, leaders: this.#leaders, calls: this.#calls };
    this.groups = new RoutedGroups(this.#host);
  }

  close(): void {
    this.#calls.close();
  }

  append(request: AppendRequest): Appended | Promise<Appended> {
    // Unknown topics and internal ones are refused here.
    if (this.#leaders.record(request) === undefined) return this.#local.append(request);
    // It may have to be sent again, and the caller's buffer is not ours then.
    const own = { ...request, batch: request.batch.slice() };
    return this.#leaders.at(request, ({ leader, topic }) =>
      leader === null
        ? this.#local.append(own)
        : this.#calls.append(leader, { ...own, topicId: topic.id }),
    );
  }

  fetch(request: Parameters<Broker["fetch"]>[0]): ReturnType<Broker["fetch"]> {
    const isHere = (place: TopicPartition) => {
      const leader = this.#leaders.record(place)?.leader;
      return leader === undefined || leader === this.brokerId;
    };
    if (request.waitMsMax === 0 && request.partitions.every(isHere)) {
      return this.#local.fetch(request);
    }
    return new RoutedFetch(this.#platform.clock, this.#host, request).run();
  }

  async listOffsets(request: Parameters<Broker["listOffsets"]>[0]): Promise<ListedOffset> {
    if (this.#leaders.record(request) === undefined) return this.#local.listOffsets(request);
    try {
      return await this.#leaders.at(request, async ({ leader }) => {
        if (leader !== null) return this.#calls.listOffsets(leader, request);
        const found = await this.#local.listOffsets(request);
        if (found.error !== null) throw found.error;
        return found;
      });
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return { error, offset: -1, timestampMs: -1, leaderEpoch: -1 };
    }
  }

  async deleteRecords(request: TopicPartition & { offset: number }): Promise<number> {
    if (this.#leaders.record(request) === undefined) return this.#local.deleteRecords(request);
    return this.#leaders.at(request, ({ leader }) =>
      leader === null
        ? this.#local.deleteRecords(request)
        : this.#calls.deleteRecords(leader, request),
    );
  }

  /** Asked again of a new leader: the token of the old one's answer that was lost is then passed over. */
  async takeFence(request: TakeFenceRequest): Promise<number> {
    if (this.#leaders.record(request) === undefined) return this.#local.takeFence(request);
    return this.#leaders.at(request, ({ leader }) =>
      leader === null ? this.#local.takeFence(request) : this.#calls.ask(leader, "fence", request),
    );
  }

  endOffset(place: TopicPartition): number | undefined {
    const isHere = this.#leaders.record(place)?.leader === this.brokerId;
    return isHere ? this.#local.endOffset(place) : undefined;
  }

  describePartitions(places: readonly TopicPartition[]): Promise<readonly DescribedPartition[]> {
    return describeAtLeaders(this.#host, places);
  }

  // ---- what any broker can do ----

  get brokerId() {
    return this.#local.brokerId;
  }
  cluster(): ClusterState {
    return this.#local.cluster();
  }
  createTopic(request: Parameters<Broker["createTopic"]>[0]) {
    return this.#local.createTopic(request);
  }
  autoCreateTopic(name: string) {
    return this.#local.autoCreateTopic(name);
  }
  deleteTopic(name: string) {
    return this.#local.deleteTopic(name);
  }
  createPartitions(request: Parameters<Broker["createPartitions"]>[0]) {
    return this.#local.createPartitions(request);
  }
  describeConfigs(...given: Parameters<Broker["describeConfigs"]>) {
    return this.#local.describeConfigs(...given);
  }
  alterConfigs(...given: Parameters<Broker["alterConfigs"]>) {
    return this.#local.alterConfigs(...given);
  }
}
