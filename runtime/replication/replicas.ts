// Replicas: which role this broker has in each of its partitions that other brokers have copies of, as the control
// plane says. Makes leaders and fetchers, and ends them; used by `local-partitions.ts` and by fetches of replicas.

import type { BrokerRecord, ControlPlane, PartitionRecord } from "../../cluster/control-plane.ts";
import type { BrokerConfig } from "../config.ts";
import { BrokerError } from "../errors.ts";
import type { Partition } from "../log/partition.ts";
import type { Clock, Timer } from "../platform.ts";
import { Fetcher, type FetcherHost } from "./fetcher.ts";
import { FollowedPartition } from "./followed-partition.ts";
import { IsrChanges } from "./isr-changes.ts";
import { type CountedFetch, type IsrKeeper, PartitionLeader } from "./leader.ts";
import type { OpenLink } from "./replica-link.ts";
import { namesReplica, Throttle } from "./throttle.ts";

export interface ReplicasOptions {
  readonly clock: Clock;
  readonly controlPlane: ControlPlane;
  readonly brokerId: number;
  /** Absent on a broker that is alone: then there is nobody to follow. */
  readonly openLink: OpenLink | undefined;
  config(): BrokerConfig;
  report(error: unknown, where: string): void;
}

/** "idle": a copy without a leader to follow, or before this broker is registered. */
type Role = PartitionLeader | FollowedPartition | "idle";

/** Those that lag are looked for so often while the limit passes once. */
const lagLooksPerLimit = 2;

export class Replicas {
  readonly #options: ReplicasOptions;
  /** Partitions that this broker has alone are not in it. */
  readonly #roles = new Map<Partition, Role>();
  readonly #fetchers = new Map<number, Fetcher>();
  readonly #changes: IsrChanges;
  readonly #keeper: IsrKeeper;
  readonly #fetcherHost: FetcherHost;
  readonly #feeding: Throttle;
  readonly #copying: Throttle;
  /** Where this incarnation is reached; undefined before it is registered. */
  #self: Pick<BrokerRecord, "host" | "port"> | undefined;
  #lagTimer: Timer | undefined;
  #isClosed = false;

  constructor(options: ReplicasOptions) {
    const { clock, controlPlane, config } = options;
    this.#options = options;
    this.#changes = new IsrChanges(options);
    this.#keeper = {
      clock,
      isEligible: (id, epoch) => isEligible(controlPlane.state().brokers.get(id), epoch),
      wish: (leader, wish) => this.#changes.wish(leader, wish),
    };
    const rate = (name: "leader" | "follower") =>
      config().number(`${name}.replication.throttled.rate`);
    this.#feeding = new Throttle(clock, () => rate("leader"));
    this.#copying = new Throttle(clock, () => rate("follower"));
    this.#fetcherHost = this.#hostOfFetchers();
  }

  /**
   * This incarnation is registered: from now on it has the roles that the control plane says. Before, records are
   * about the process that it was before it stopped: it would lead in an epoch whose last records may be lost, or
   * be taken by a leader for the replica that was in sync.
   */
  begin(self: Pick<BrokerRecord, "host" | "port">): void {
    this.#self = self;
  }

  /** What the control plane says of a partition that this broker has a copy of. */
  assign(partition: Partition, record: PartitionRecord): void {
    const { brokerId } = this.#options;
    const leads = record.leader === brokerId && this.#self !== undefined;
    if (leads && record.replicas.length === 1) this.#leadAlone(partition, record);
    else if (leads) this.#lead(partition, record);
    else this.#follow(partition, record);
  }

  /** The partition is not on this broker any more. */
  forget(partition: Partition): void {
    this.#end(partition, notLeader(partition, -1));
    this.#roles.delete(partition);
  }

  brokerChanged(broker: BrokerRecord): void {
    if (!broker.fenced) {
      for (const role of this.#roles.values()) {
        if (role instanceof PartitionLeader) role.reconsider(broker.id);
      }
    }
    const fetcher = this.#fetchers.get(broker.id);
    const known = fetcher?.leader;
    if (known?.host === broker.host && known.port === broker.port) return;
    this.#fetchers.delete(broker.id);
    fetcher?.close();
    for (const role of this.#roles.values()) {
      if (role instanceof FollowedPartition && role.leaderId === broker.id) this.#fetch(role);
    }
  }

  /** Undefined: it is led by another broker, or by this one alone. */
  leaderOf(partition: Partition): PartitionLeader | undefined {
    const role = this.#roles.get(partition);
    return role instanceof PartitionLeader ? role : undefined;
  }

  /** A replica's fetch that agrees with the log of `partition`. */
  count(partition: Partition, fetch: CountedFetch): void {
    this.leaderOf(partition)?.count(fetch);
  }

  /** Whether `fed` needs to be told. */
  get isFeedingLimited(): boolean {
    return this.#feeding.isLimited;
  }

  /** Whether a replica may have bytes of `partition` now; those in sync always do. */
  mayFeed(partition: Partition, replicaId: number): boolean {
    if (!this.#feeding.isLimited || !this.#isThrottled(partition, replicaId)) return true;
    return !this.#feeding.isExceeded;
  }

  fed(partition: Partition, replicaId: number, bytes: number): void {
    if (this.#isThrottled(partition, replicaId)) this.#feeding.note(bytes);
  }

  /** An in-sync replica in the consumer's rack that has the offset (KIP-392); -1: read here. */
  nearest(partition: Partition, rack: string, offset: number): number {
    const leader = this.leaderOf(partition);
    const { brokers } = this.#options.controlPlane.state();
    if (leader === undefined || brokers.get(this.#options.brokerId)?.rack === rack) return -1;
    let best = -1;
    for (const broker of brokers.values()) {
      if (broker.rack !== rack || broker.fenced || !leader.state.isInSync(broker.id)) continue;
      const logEnd = leader.state.logEndOf(broker.id);
      if (logEnd < offset) continue;
      if (best < 0 || logEnd > leader.state.logEndOf(best)) best = broker.id;
    }
    return best;
  }

  /** Per follower, how many records it lacks at most of a partition led here; one not heard of yet is left out. */
  lags(): ReadonlyMap<number, number> {
    const lags = new Map<number, number>();
    for (const [partition, role] of this.#roles) {
      if (!(role instanceof PartitionLeader)) continue;
      for (const [id, logEnd] of role.state.followers()) {
        const lag = Math.max(0, partition.log.endOffset - logEnd);
        lags.set(id, Math.max(lag, lags.get(id) ?? 0));
      }
    }
    return lags;
  }

  start(): void {
    const limitMs = this.#options.config().number("replica.lag.time.max.ms");
    this.#lagTimer = this.#options.clock.after(limitMs / lagLooksPerLimit, () => {
      for (const role of this.#roles.values()) {
        if (role instanceof PartitionLeader) role.dropLagging(limitMs);
      }
      if (!this.#isClosed) this.start();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#lagTimer?.cancel();
    this.#changes.close();
    for (const fetcher of this.#fetchers.values()) fetcher.close();
    this.#fetchers.clear();
    for (const partition of [...this.#roles.keys()]) this.forget(partition);
  }

  // ---- roles ----

  #leadAlone(partition: Partition, record: PartitionRecord): void {
    partition.leaderEpoch = record.leaderEpoch;
    if (!this.#roles.has(partition)) return;
    this.forget(partition);
    partition.lead(undefined);
  }

  #lead(partition: Partition, record: PartitionRecord): void {
    const role = this.#roles.get(partition);
    if (role instanceof PartitionLeader && role.state.leaderEpoch === record.leaderEpoch) {
      role.commit(record);
      return;
    }
    this.#end(partition, notLeader(partition, record.leader));
    partition.leaderEpoch = record.leaderEpoch;
    const leader = new PartitionLeader(this.#keeper, partition, record, this.#options.brokerId);
    this.#roles.set(partition, leader);
    partition.lead(leader);
  }

  #follow(partition: Partition, record: PartitionRecord): void {
    const { leader, leaderEpoch } = record;
    const isOwn = leader === this.#options.brokerId;
    const role = this.#roles.get(partition);
    const isSame = role instanceof FollowedPartition && role.leaderId === leader;
    if (isSame && role.leaderEpoch === leaderEpoch) return;
    const error = notLeader(partition, isOwn ? -1 : leader);
    this.#end(partition, error);
    partition.leaderEpoch = leaderEpoch;
    partition.follow(error);
    if (leader < 0 || isOwn || this.#self === undefined) {
      this.#roles.set(partition, "idle");
      return;
    }
    const followed = new FollowedPartition(partition, { id: leader, epoch: leaderEpoch });
    this.#roles.set(partition, followed);
    this.#fetch(followed);
  }

  #end(partition: Partition, error: BrokerError): void {
    const role = this.#roles.get(partition);
    if (role instanceof PartitionLeader) role.resign(error);
    if (!(role instanceof FollowedPartition)) return;
    const fetcher = this.#fetchers.get(role.leaderId);
    fetcher?.remove(role);
    if (fetcher?.size !== 0) return;
    this.#fetchers.delete(role.leaderId);
    fetcher.close();
  }

  // ---- copying ----

  #fetch(followed: FollowedPartition): void {
    const { openLink, controlPlane } = this.#options;
    if (openLink === undefined) return;
    let fetcher = this.#fetchers.get(followed.leaderId);
    if (fetcher === undefined) {
      const broker = controlPlane.state().brokers.get(followed.leaderId);
      if (broker === undefined) return;
      const { id, host, port } = broker;
      fetcher = new Fetcher(this.#fetcherHost, { id, host, port });
      this.#fetchers.set(id, fetcher);
    }
    fetcher.add(followed);
  }

  #hostOfFetchers(): FetcherHost {
    const { clock, brokerId, config, openLink, report } = this.#options;
    return {
      clock,
      brokerId,
      openLink: openLink!,
      brokerEpoch: () => this.#brokerEpoch(),
      settings: () => ({
        waitMsMax: config().number("replica.fetch.wait.max.ms"),
        bytesMin: config().number("replica.fetch.min.bytes"),
        bytesMax: config().number("replica.fetch.response.max.bytes"),
        partitionBytesMax: config().number("replica.fetch.max.bytes"),
        backoffMsMax: config().number("replica.fetch.backoff.ms"),
      }),
      mayFetch: (followed) => !this.#isSlowed(followed) || !this.#copying.isExceeded,
      fetched: (followed, bytes) => {
        if (this.#isSlowed(followed)) this.#copying.note(bytes);
      },
      report,
    };
  }

  /** -1 when the record is about another process that took this broker's number. */
  #brokerEpoch(): number {
    const { controlPlane, brokerId } = this.#options;
    const record = controlPlane.state().brokers.get(brokerId);
    const isOwn = record?.host === this.#self?.host && record?.port === this.#self?.port;
    return isOwn ? (record?.epoch ?? -1) : -1;
  }

  /** Whether the follower's throttle is for this copy: named, and not in sync. */
  #isSlowed({ partition }: FollowedPartition): boolean {
    if (!this.#copying.isLimited) return false;
    const { brokerId, controlPlane } = this.#options;
    const topic = controlPlane.state().topics.get(partition.topic);
    const isInSync = topic?.partitions[partition.partition]?.isr.includes(brokerId);
    const names = topic?.configs.get("follower.replication.throttled.replicas");
    return isInSync === false && namesReplica(names, partition.partition, brokerId);
  }

  /** The leader's list names the replica that feeds, as Kafka's tools write it: this broker's own. */
  #isThrottled(partition: Partition, replicaId: number): boolean {
    const { brokerId, controlPlane } = this.#options;
    const topic = controlPlane.state().topics.get(partition.topic);
    const names = topic?.configs.get("leader.replication.throttled.replicas");
    if (!namesReplica(names, partition.partition, brokerId)) return false;
    return this.leaderOf(partition)?.state.isInSync(replicaId) === false;
  }
}

function isEligible(broker: BrokerRecord | undefined, epoch: number): boolean {
  return broker !== undefined && !broker.fenced && !broker.draining && broker.epoch === epoch;
}

function notLeader({ topic, partition }: Partition, leader: number): BrokerError {
  const who = leader < 0 ? "it has no leader now" : `broker ${leader} does`;
  const what = `this broker does not lead ${topic}-${partition}, ${who}`;
  return new BrokerError("NOT_LEADER_OR_FOLLOWER", what);
}
