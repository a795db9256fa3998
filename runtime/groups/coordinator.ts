// Coordinator: consumer groups on this broker's part of __consumer_offsets. Finds the group a request is for,
// asks its state machine, and persists what changed. Loads its part at start, in the background: requests for
// groups not read yet are told COORDINATOR_LOAD_IN_PROGRESS. Called by `local-broker.ts`.

import type { ClusterChange, ClusterState } from "../../cluster/control-plane.ts";
import type { TopicPartition } from "../broker.ts";
import type { BrokerConfig } from "../config.ts";
import { BrokerError } from "../errors.ts";
import type {
  ClassicGroupView,
  CommitRequest,
  ConsumerGroupView,
  ConsumerHeartbeat,
  ConsumerHeartbeatAnswer,
  FetchedOffset,
  FetchOffsetsRequest,
  GroupCoordinator,
  GroupListing,
  GroupSummary,
  JoinAnswer,
  JoinRequest,
  LeavingMember,
  MemberRequest,
  SyncAnswer,
  SyncRequest,
} from "../group-coordinator.ts";
import type { Platform, Timer } from "../platform.ts";
import { offsetsTopic } from "../topic-name.ts";
import { ClassicGroup } from "./classic-group.ts";
import { failedJoin, unknownMember } from "./classic-members.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import type { GroupRecord } from "./group-records.ts";
import { type GroupEntry, GroupTable, type Membership } from "./group-table.ts";
import { classicView, listing, summaryOf } from "./group-views.ts";
import { randomUuid } from "./member-id.ts";
import { OffsetCommits } from "./offset-commits.ts";
import { OffsetsLog, type OffsetsLogOptions, type TransactionalProducer } from "./offsets-log.ts";
import {
  type GroupEvent,
  loadInProgress,
  OwnPartitions,
  type OwnPartitionsOptions,
} from "./own-partitions.ts";

export interface CoordinatorOptions extends OwnPartitionsOptions {
  readonly platform: Pick<Platform, "clock" | "core" | "codecs" | "random">;
  config(): BrokerConfig;
  partition: OffsetsLogOptions["partition"];
}

const minuteMs = 60_000;

export type { GroupEvent };

export class Coordinator implements GroupCoordinator {
  readonly #options: CoordinatorOptions;
  readonly #log: OffsetsLog;
  readonly #table: GroupTable;
  readonly #commits: OffsetCommits;
  readonly #own: OwnPartitions;
  #expiry: Timer | undefined;
  #isClosed = false;
  #stopWatching = () => {};

  constructor(options: CoordinatorOptions) {
    const { platform, config } = options;
    this.#options = options;
    this.#log = new OffsetsLog(options);
    this.#table = new GroupTable({
      classic: (groupId) => this.#newClassic(groupId),
      consumer: (groupId) => this.#newConsumer(groupId),
    });
    this.#own = new OwnPartitions(options, this.#log, this.#table);
    this.#commits = new OffsetCommits({
      table: this.#table,
      log: this.#log,
      clock: platform.clock,
      cluster: () => this.#cluster(),
      metadataBytesMax: () => config().number("offset.metadata.max.bytes"),
      retentionMs: () => config().number("offsets.retention.minutes") * minuteMs,
      committed: (count) => {
        options.metrics.offsetCommits += count;
      },
    });
  }

  /** Starts loading; partitions of the offsets topic must be open. */
  open(): void {
    this.#stopWatching = this.#options.controlPlane.watch((change) => this.#follow(change));
    this.follow();
    this.#scheduleExpiry();
  }

  /** Leaderships may have changed: takes over groups, or lets go of them. */
  follow(): void {
    this.#loading = this.#own.follow();
  }

  close(): void {
    this.#isClosed = true;
    this.#stopWatching();
    this.#expiry?.cancel();
    this.#own.close();
  }

  #loading: Promise<void> = Promise.resolve();

  /** Resolves when the last load that was begun has ended. */
  loaded(): Promise<void> {
    return this.#loading;
  }

  find(groupId: string): Promise<number> {
    return this.#own.find(groupId);
  }

  // ---- classic membership ----

  async join(request: JoinRequest): Promise<JoinAnswer> {
    this.#requireGroup(request.groupId);
    const { config } = this.#options;
    const min = config().number("group.min.session.timeout.ms");
    const max = config().number("group.max.session.timeout.ms");
    if (request.sessionTimeoutMs < min || request.sessionTimeoutMs > max) {
      const message = `the session timeout must be ${min} to ${max} ms`;
      throw new BrokerError("INVALID_SESSION_TIMEOUT", message);
    }
    const group = this.#classicFor(request);
    if (group === undefined) return failedJoin(request.memberId, unknownMember(request.memberId));
    return group.join(request);
  }

  async sync(request: SyncRequest): Promise<SyncAnswer> {
    this.#requireGroup(request.groupId);
    return this.#members(request).sync(request);
  }

  heartbeat(request: MemberRequest): void {
    this.#requireGroup(request.groupId);
    this.#members(request).heartbeat(request);
  }

  async leave(
    groupId: string,
    members: readonly LeavingMember[],
  ): Promise<readonly (BrokerError | null)[]> {
    this.#requireGroup(groupId);
    const group = this.#table.get(groupId)?.group;
    if (group?.type !== "classic") throw unknownMember(members[0]?.memberId ?? "");
    return group.leave(members);
  }

  // ---- consumer protocol ----

  async consumerHeartbeat(request: ConsumerHeartbeat): Promise<ConsumerHeartbeatAnswer> {
    this.#requireGroup(request.groupId);
    return this.#consumerFor(request).heartbeat(request);
  }

  // ---- offsets ----

  async commitOffsets(request: CommitRequest): Promise<readonly (BrokerError | null)[]> {
    this.#own.requireLoaded(request.groupId);
    return this.#commits.commit(request);
  }

  /** TxnOffsetCommit: the offsets count when the producer's transaction is committed. */
  async commitOffsetsInTransaction(
    request: CommitRequest,
    producer: TransactionalProducer,
  ): Promise<readonly (BrokerError | null)[]> {
    this.#own.requireLoaded(request.groupId);
    return this.#commits.commit(request, producer);
  }

  /** A marker was written to a partition of the offsets topic: what it ends counts, or never did. */
  endTransaction(partition: number, producerId: number, outcome: "commit" | "abort"): void {
    for (const entry of this.#table.all()) {
      if (entry.partition === partition) entry.offsets.endTransaction(producerId, outcome);
    }
  }

  fetchOffsets(request: FetchOffsetsRequest): readonly FetchedOffset[] {
    this.#own.requireLoaded(request.groupId);
    return this.#commits.fetch(request);
  }

  async deleteOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<readonly (BrokerError | null)[]> {
    return this.#commits.delete(this.#entry(groupId), partitions);
  }

  // ---- looking inside ----

  list(): readonly GroupListing[] {
    if (this.#own.isLoading) throw loadInProgress();
    return Array.from(this.#table.all(), listing);
  }

  describeClassic(groupId: string): ClassicGroupView {
    return classicView(this.#entry(groupId));
  }

  describeConsumer(groupId: string): ConsumerGroupView {
    const { group } = this.#entry(groupId);
    if (group?.type === "consumer") return group.view();
    throw new BrokerError("GROUP_ID_NOT_FOUND", `Group ${groupId} is not a consumer group.`);
  }

  summary(groupId: string): GroupSummary {
    return summaryOf(this.#entry(groupId), this.#cluster());
  }

  async delete(groupId: string): Promise<void> {
    const entry = this.#entry(groupId);
    if (entry.group !== undefined && entry.group.state !== "Empty") {
      throw new BrokerError("NON_EMPTY_GROUP", `group '${groupId}' has members: stop them first`);
    }
    await this.#remove(entry);
  }

  /** Groups and their offsets, for metrics. */
  entries(): Iterable<GroupEntry> {
    return this.#table.all();
  }

  // ---- finding groups ----

  #requireGroup(groupId: string): void {
    if (groupId === "") throw new BrokerError("INVALID_GROUP_ID", "the group's name is empty");
    this.#own.requireLoaded(groupId);
  }

  #entry(groupId: string): GroupEntry {
    // Without an offsets topic there never was a group.
    if (this.#table.partitions > 0) this.#own.requireLoaded(groupId);
    const entry = this.#table.get(groupId);
    if (entry) return entry;
    throw new BrokerError("GROUP_ID_NOT_FOUND", `there is no group '${groupId}'`);
  }

  /** Undefined: the member says it is of a group that does not exist. */
  #classicFor(request: JoinRequest): ClassicGroup | undefined {
    const found = this.#table.get(request.groupId)?.group;
    if (found?.type === "classic") return found;
    if (found && !found.isVacant) {
      const message = `group '${request.groupId}' speaks the consumer protocol`;
      throw new BrokerError("INCONSISTENT_GROUP_PROTOCOL", message);
    }
    if (request.memberId !== "") return undefined;
    return this.#become(request.groupId, this.#newClassic(request.groupId));
  }

  #consumerFor(request: ConsumerHeartbeat): ConsumerGroup {
    const { groupId } = request;
    const found = this.#table.get(groupId)?.group;
    if (found?.type === "consumer") return found;
    if (request.memberEpoch !== 0 || (found && !found.isVacant)) {
      throw new BrokerError("GROUP_ID_NOT_FOUND", `Group ${groupId} is not a consumer group.`);
    }
    return this.#become(groupId, this.#newConsumer(groupId));
  }

  /** Puts a new group in the place of a vacant one, whose offsets stay. */
  #become<T extends Membership>(groupId: string, group: T): T {
    const entry = this.#table.obtain(groupId);
    const old = entry.group;
    if (old) {
      const written = this.#persist(groupId, old.tombstones());
      if (written) this.#background(`replacing group '${groupId}'`, written);
      old.close(unknownMember(""));
    }
    entry.group = group;
    return group;
  }

  #members(request: MemberRequest): ClassicGroup {
    const group = this.#table.get(request.groupId)?.group;
    if (group?.type !== "classic") throw unknownMember(request.memberId);
    return group;
  }

  #newClassic(groupId: string): ClassicGroup {
    const { platform, config, metrics } = this.#options;
    return new ClassicGroup(
      {
        clock: platform.clock,
        newId: () => randomUuid(platform.random.bytes(16)),
        limits: () => ({
          initialRebalanceDelayMs: config().number("group.initial.rebalance.delay.ms"),
          membersMax: config().number("group.max.size"),
        }),
        persist: (group, assignments) =>
          this.#persist(groupId, [
            { kind: "classic-group", groupId, value: group.stored(assignments) },
          ]),
        rebalanced: () => {
          metrics.rebalances++;
        },
      },
      groupId,
    );
  }

  #newConsumer(groupId: string): ConsumerGroup {
    const { platform, config, metrics } = this.#options;
    return new ConsumerGroup(
      {
        clock: platform.clock,
        topics: () => this.#cluster().topics,
        settings: () => ({
          heartbeatIntervalMs: config().number("group.consumer.heartbeat.interval.ms"),
          sessionTimeoutMs: config().number("group.consumer.session.timeout.ms"),
          membersMax: config().number("group.consumer.max.size"),
          assignors: config().list("group.consumer.assignors"),
        }),
        persist: (records) => this.#log.append(this.#table.partitionOf(groupId), records).durable,
        rebalanced: () => {
          metrics.rebalances++;
        },
        failed: (error) => {
          this.#options.report({ kind: "failed", context: `storing group '${groupId}'`, error });
        },
      },
      groupId,
    );
  }

  /** Never throws: what fails at once rejects. */
  #persist(groupId: string, records: readonly GroupRecord[]): void | Promise<void> {
    try {
      const { durable } = this.#log.append(this.#table.partitionOf(groupId), records);
      return durable?.then(() => {});
    } catch (error) {
      this.#options.report({ kind: "failed", context: `storing group '${groupId}'`, error });
      return Promise.reject(error);
    }
  }

  async #remove(entry: GroupEntry): Promise<void> {
    const { groupId } = entry;
    const records = this.#commits.tombstones(entry);
    records.push(...(entry.group?.tombstones() ?? []));
    const durable =
      records.length === 0 ? undefined : this.#log.append(entry.partition, records).durable;
    entry.group?.close(unknownMember(""));
    this.#table.remove(groupId);
    await durable;
  }

  #cluster(): ClusterState {
    return this.#options.controlPlane.state();
  }

  #follow(change: ClusterChange): void {
    for (const { group } of this.#table.all()) {
      if (group?.type === "consumer") group.topicsChanged();
    }
    if (change.kind === "topic-deleted") {
      if (change.topic.name === offsetsTopic) this.#own.drop();
      else this.#background("forgetting a topic", this.#commits.forgetTopic(change.topic.name));
    } else if ("topic" in change && change.topic.name === offsetsTopic) this.follow();
  }

  // ---- expiry ----

  #scheduleExpiry(): void {
    const everyMs = this.#options.config().number("offsets.retention.check.interval.ms");
    this.#expiry = this.#options.platform.clock.after(everyMs, () => {
      this.#background("expiring offsets", this.#expire());
      if (!this.#isClosed) this.#scheduleExpiry();
    });
  }

  /** Offsets that nobody has needed for long go, and with the last of them an empty group. */
  async #expire(): Promise<void> {
    for (const entry of [...this.#table.all()]) {
      if (!this.#own.isReady(entry.partition)) continue;
      const expired = await this.#commits.expire(entry);
      this.#options.metrics.offsetExpirations += expired;
      const isVacant = entry.group === undefined || entry.group.isVacant;
      const isEmpty = entry.offsets.size === 0 && !entry.offsets.hasPending;
      if (isVacant && isEmpty) await this.#remove(entry);
    }
  }

  #background(context: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#options.report({ kind: "failed", context, error }));
  }
}
