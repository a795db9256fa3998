// Memberships: which state machine a request is for, made, replaced or changed over to the other protocol as needed,
// and what it needs of the broker. Changes of protocol are one write: after a crash a group is either the one or the
// other. Used by `coordinator.ts` only.

import type { ClusterState, ControlPlane } from "../../cluster/control-plane.ts";
import { type BrokerConfig, resolveGroupConfig } from "../config.ts";
import { BrokerError } from "../errors.ts";
import type { ConsumerHeartbeat, JoinRequest, MemberRequest } from "../group-coordinator.ts";
import type { Platform } from "../platform.ts";
import type { GroupMetrics } from "../telemetry/metrics.ts";
import { ClassicGroup } from "./classic-group.ts";
import { rebalanceInProgress, unknownMember } from "./classic-members.ts";
import { checkHeartbeat } from "./consumer-checks.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import type { GroupRecord } from "./group-records.ts";
import { GroupTable, type Membership } from "./group-table.ts";
import { randomUuid } from "./member-id.ts";
import { classicMembersOf, consumerMembersOf, recordsOf } from "./migration.ts";
import type { OffsetsLog } from "./offsets-log.ts";
import type { GroupEvent } from "./own-partitions.ts";

export interface MembershipsOptions {
  readonly platform: Pick<Platform, "clock" | "random">;
  readonly controlPlane: Pick<ControlPlane, "state">;
  readonly metrics: GroupMetrics;
  config(): BrokerConfig;
  report(event: GroupEvent): void;
}

/** What a group that is being changed over writes before its own first change. */
interface Preface {
  readonly records: readonly GroupRecord[];
  readonly written: () => void;
}

export class Memberships {
  readonly table: GroupTable;
  readonly #options: MembershipsOptions;
  readonly #log: Pick<OffsetsLog, "append">;

  constructor(options: MembershipsOptions, log: Pick<OffsetsLog, "append">) {
    this.#options = options;
    this.#log = log;
    this.table = new GroupTable({
      classic: (groupId) => this.#newClassic(groupId),
      consumer: (groupId) => this.#newConsumer(groupId),
    });
  }

  /** For JoinGroup. Undefined: the member says it is of a group that does not exist. */
  joining({ groupId, memberId }: JoinRequest): Membership | undefined {
    const found = this.table.get(groupId)?.group;
    if (found?.type === "classic" || (found && !found.isVacant)) return found;
    if (memberId !== "") return undefined;
    return this.#become(groupId, this.#newClassic(groupId));
  }

  /** For what members of the classic protocol ask once they have joined. */
  joined(request: Pick<MemberRequest, "groupId" | "memberId">): Membership {
    const group = this.table.get(request.groupId)?.group;
    if (group === undefined) throw unknownMember(request.memberId);
    return group;
  }

  /** For ConsumerGroupHeartbeat: whoever joins a classic group makes it one of the consumer protocol. */
  heartbeating(request: ConsumerHeartbeat): ConsumerGroup {
    const { groupId } = request;
    const found = this.table.get(groupId)?.group;
    if (found?.type === "consumer") return found;
    if (request.memberEpoch !== 0) throw notConsumer(groupId);
    if (found === undefined || found.state === "Empty") {
      return this.#become(groupId, this.#newConsumer(groupId));
    }
    checkHeartbeat(request, this.#options.config().list("group.consumer.assignors"));
    return this.#upgraded(found);
  }

  /** Never throws: what fails at once rejects. */
  persist(groupId: string, records: readonly GroupRecord[]): void | Promise<void> {
    try {
      return this.#append(groupId, records)?.then(() => {});
    } catch (error) {
      this.#failed(groupId, error);
      return Promise.reject(error);
    }
  }

  /** Throws what cannot be written; the promise is for durability. */
  #append(groupId: string, records: readonly GroupRecord[]): Promise<unknown> | undefined {
    try {
      const { durable } = this.#log.append(this.table.partitionOf(groupId), records);
      return durable?.catch((cause: unknown) => {
        throw membershipError(cause);
      });
    } catch (cause) {
      throw membershipError(cause);
    }
  }

  /** Puts a new group in the place of a vacant one, whose offsets stay. */
  #become<T extends Membership>(groupId: string, group: T): T {
    const entry = this.table.obtain(groupId);
    const old = entry.group;
    if (old) {
      const written = this.persist(groupId, old.tombstones());
      if (written) written.catch((error: unknown) => this.#failed(groupId, error));
      old.close(unknownMember(""));
    }
    entry.group = group;
    return group;
  }

  // ---- from one protocol to the other ----

  /** In force when the first change of the new group is written. */
  #upgraded(classic: ClassicGroup): ConsumerGroup {
    const { groupId, generation: epoch } = classic;
    const { config } = this.#options;
    const isAllowed = ["upgrade", "bidirectional"].includes(this.#migrationPolicy());
    const fits = classic.members.size <= config().number("group.consumer.max.size");
    const members =
      isAllowed && fits && classic.isConsumerGroup
        ? consumerMembersOf(classic, this.#cluster().topics)
        : undefined;
    if (members === undefined) throw notConsumer(groupId);
    const group = this.#newConsumer(groupId, {
      records: [...classic.tombstones(), ...recordsOf(groupId, { epoch, members })],
      written: () => {
        this.table.obtain(groupId).group = group;
        // Who waits for the classic group's rebalance joins again, in this one.
        classic.close(rebalanceInProgress());
        group.resume();
      },
    });
    group.adopt({ epoch, members });
    return group;
  }

  #downgrade(group: ConsumerGroup, without: string | null): Promise<unknown> | undefined {
    const { groupId } = group;
    const classic = this.#newClassic(groupId);
    const members = classicMembersOf(group, without);
    classic.adopt({ generation: group.groupEpoch, members });
    const record = { kind: "classic-group", groupId, value: classic.stored() } as const;
    const durable = this.#append(groupId, [...group.tombstones(), record]);
    group.close(unknownMember(""));
    this.table.obtain(groupId).group = classic;
    classic.resume();
    classic.rebalance();
    return durable;
  }

  #migrationPolicy(): string {
    return this.#options.config().text("group.consumer.migration.policy")?.toLowerCase() ?? "";
  }

  #mayDowngrade(members: number): boolean {
    const isAllowed = ["downgrade", "bidirectional"].includes(this.#migrationPolicy());
    return isAllowed && members > 0 && members <= this.#options.config().number("group.max.size");
  }

  // ---- state machines ----

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
          this.persist(groupId, [
            { kind: "classic-group", groupId, value: group.stored(assignments) },
          ]),
        rebalanced: () => {
          metrics.rebalances++;
        },
      },
      groupId,
    );
  }

  #newConsumer(groupId: string, preface?: Preface): ConsumerGroup {
    const { platform, config, metrics } = this.#options;
    let before = preface;
    const group: ConsumerGroup = new ConsumerGroup(
      {
        clock: platform.clock,
        topics: () => this.#cluster().topics,
        topicName: (topicId) => this.#cluster().topicsById.get(topicId)?.name,
        newId: () => randomUuid(platform.random.bytes(16)),
        settings: () => ({
          ...resolveGroupConfig(this.#cluster().groupConfigs.get(groupId), config()),
          membersMax: config().number("group.consumer.max.size"),
          assignors: config().list("group.consumer.assignors"),
        }),
        persist: (records) => {
          const durable = this.#append(groupId, [...(before?.records ?? []), ...records]);
          before?.written();
          before = undefined;
          return durable;
        },
        mayDowngrade: (members) => this.#mayDowngrade(members),
        downgrade: (without) => this.#downgrade(group, without),
        rebalanced: () => {
          metrics.rebalances++;
        },
        failed: (error) => this.#failed(groupId, error),
      },
      groupId,
    );
    return group;
  }

  #cluster(): ClusterState {
    return this.#options.controlPlane.state();
  }

  #failed(groupId: string, error: unknown): void {
    this.#options.report({ kind: "failed", context: `storing group '${groupId}'`, error });
  }
}

function notConsumer(groupId: string): BrokerError {
  return new BrokerError("GROUP_ID_NOT_FOUND", `Group ${groupId} is not a consumer group.`);
}

/** What a failed append is to members: Kafka's translation. */
function membershipError(cause: unknown): unknown {
  if (!(cause instanceof BrokerError)) return cause;
  const { code, message } = cause;
  if (code === "MESSAGE_TOO_LARGE") {
    return new BrokerError("UNKNOWN_SERVER_ERROR", `the group cannot be stored: ${message}`, {
      cause,
    });
  }
  if (code === "NOT_LEADER_OR_FOLLOWER" || code === "KAFKA_STORAGE_ERROR") {
    return new BrokerError("NOT_COORDINATOR", message, { cause });
  }
  return new BrokerError("COORDINATOR_NOT_AVAILABLE", message, { cause });
}
