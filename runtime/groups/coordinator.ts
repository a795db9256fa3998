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
import { failedJoin, unknownMember } from "./classic-members.ts";
import type { GroupEntry, GroupTable } from "./group-table.ts";
import { classicView, listing, summaryOf } from "./group-views.ts";
import { Memberships } from "./memberships.ts";
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
/** Far above what clients offer; the bytes are what a record of the offsets topic holds by default. */
const protocolsMax = 100;
const protocolBytesMax = 1_000_000;

export type { GroupEvent };

export class Coordinator implements GroupCoordinator {
  readonly #options: CoordinatorOptions;
  readonly #log: OffsetsLog;
  readonly #memberships: Memberships;
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
    this.#memberships = new Memberships(options, this.#log);
    this.#table = this.#memberships.table;
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
    checkProtocols(request);
    const group = this.#memberships.joining(request);
    if (group === undefined) return failedJoin(request.memberId, unknownMember(request.memberId));
    return group.join(request);
  }

  async sync(request: SyncRequest): Promise<SyncAnswer> {
    this.#requireGroup(request.groupId);
    return this.#memberships.joined(request).sync(request);
  }

  heartbeat(request: MemberRequest): void {
    this.#requireGroup(request.groupId);
    const group = this.#memberships.joined(request);
    if (group.type === "classic") group.heartbeat(request);
    else group.classicHeartbeat(request);
  }

  async leave(
    groupId: string,
    members: readonly LeavingMember[],
  ): Promise<readonly (BrokerError | null)[]> {
    this.#requireGroup(groupId);
    const memberId = members[0]?.memberId ?? "";
    return this.#memberships.joined({ groupId, memberId }).leave(members);
  }

  // ---- consumer protocol ----

  async consumerHeartbeat(request: ConsumerHeartbeat): Promise<ConsumerHeartbeatAnswer> {
    this.#requireGroup(request.groupId);
    return this.#memberships.heartbeating(request).heartbeat(request);
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

  async #remove(entry: GroupEntry): Promise<void> {
    const { groupId } = entry;
    const records = this.#commits.tombstones(entry);
    records.push(...(entry.group?.tombstones() ?? []));
    const { durable } =
      records.length === 0
        ? { durable: undefined }
        : this.#log.append(entry.partition, records, { maySplit: true });
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

/** A client asks with a handful. INCONSISTENT_GROUP_PROTOCOL for what could never be stored. */
function checkProtocols({ protocols }: JoinRequest): void {
  const bytes = protocols.reduce(
    (sum, { name, metadata }) => sum + name.length + metadata.length,
    0,
  );
  if (protocols.length <= protocolsMax && bytes <= protocolBytesMax) return;
  throw new BrokerError(
    "INCONSISTENT_GROUP_PROTOCOL",
    `a member offers ${protocolsMax} protocols of ${protocolBytesMax} bytes in total at most`,
  );
}
