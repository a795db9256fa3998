// ClassicMembership: a member of the classic protocol. It joins, lets the leader assign (or leads itself), fetches its
// part, and sends heartbeats until the group rebalances. Eager members give everything back before they join again;
// cooperative ones keep it, give back what is no longer theirs, and join once more (KIP-429).

import type { TopicPartition } from "../broker.ts";
import {
  consumerProtocolType,
  readAssignment,
  type TopicPartitions,
  writeAssignment,
  writeSubscription,
} from "../consumer-protocol.ts";
import { joinGroup } from "../kafka/apis/join-group.ts";
import { leaveGroup } from "../kafka/apis/leave-group.ts";
import { syncGroup } from "../kafka/apis/sync-group.ts";
import type { ResponseOf } from "../kafka/schema.ts";
import { type ClassicAssignor, classicAssignors } from "./classic-assignors.ts";
import { ClassicLeader } from "./classic-leader.ts";
import { asClientError, type ClientError, errorFromCode } from "./error.ts";
import { byTopic } from "./group-calls.ts";
import { Heartbeats } from "./heartbeats.ts";
import {
  type Membership,
  type MembershipParts,
  rebalanceTimeoutMsDefault,
  without,
} from "./membership.ts";

type Joined = ResponseOf<typeof joinGroup>;

const assignorsDefault = ["range"] as const;
const assignmentVersion = 0;
const sessionTimeoutMsDefault = 45_000;
const heartbeatIntervalMsDefault = 3_000;

export class ClassicMembership implements Membership {
  memberId = "";
  generation = -1;
  readonly #parts: MembershipParts;
  readonly #assignors: readonly ClassicAssignor[];
  readonly #isCooperative: boolean;
  readonly #leader: ClassicLeader;
  /** The last assignment, for assignors that keep it; other than what is owned once that was given back. */
  #assigned: readonly TopicPartition[] = [];
  #assignedIn = -1;
  #subscribed: readonly string[] = [];
  #isRunning = false;
  #isStopped = false;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    const names = parts.options.assignors ?? assignorsDefault;
    this.#assignors = names.map((name) => classicAssignors[name]);
    // One eager assignor makes the member an eager one: any of those named may be chosen.
    this.#isCooperative = this.#assignors.every(({ isCooperative }) => isCooperative);
    this.#leader = new ClassicLeader(parts.groups.calls.metadata);
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const { groupId, groupInstanceId } = this.#parts.options;
    // A static member is expected back: its session decides.
    if (this.memberId === "" || groupInstanceId !== undefined) return;
    const { memberId } = this;
    const message = { groupId, memberId, members: [{ memberId }] };
    const where = `Leaving group ${groupId}`;
    await this.#parts.groups
      .once(groupId, where, (connection) => connection.call(leaveGroup, message))
      .catch(() => {});
  }

  async #run(): Promise<void> {
    const { groups, options } = this.#parts;
    const { context } = groups.calls;
    for (let failures = 0; !this.#isStopped && !context.closed; ) {
      try {
        await this.#liveThroughGeneration(() => {
          failures = 0;
        });
      } catch (thrown) {
        const error = asClientError(thrown, `Group ${options.groupId}`);
        if (this.#isStopped) return;
        if (!(await this.#survives(error))) return;
        if (error.code !== "MEMBER_ID_REQUIRED") await context.sleep(context.backoffMs(++failures));
      }
    }
  }

  async #liveThroughGeneration(joined: () => void): Promise<void> {
    const { owner } = this.#parts;
    const answer = await this.#join();
    const partitions = await this.#sync(answer);
    joined();
    this.generation = answer.generationId;
    this.#assigned = partitions;
    this.#assignedIn = answer.generationId;
    const beats = this.#startHeartbeats();
    try {
      const gaveBack = await this.#take(partitions);
      if (!gaveBack) await beats.ended;
      if (!this.#isCooperative && !this.#isStopped) {
        await owner.revoke(owner.owned(), { isLost: false });
      }
    } finally {
      beats.stop();
    }
  }

  /** True if something was given back: then the group has to share it out. */
  async #take(partitions: readonly TopicPartition[]): Promise<boolean> {
    const { owner } = this.#parts;
    if (this.#isStopped) return false;
    const gone = without(owner.owned(), partitions);
    if (gone.length > 0) await owner.revoke(gone, { isLost: false });
    await owner.assign(without(partitions, owner.owned()));
    return gone.length > 0;
  }

  // ---- joining ----

  async #join(): Promise<Joined> {
    const { groups, joining, options, choice } = this.#parts;
    const { groupId } = options;
    const where = `Joining group ${groupId}`;
    const rebalanceTimeoutMs = options.rebalanceTimeoutMs ?? rebalanceTimeoutMsDefault;
    this.#subscribed = await choice.names(groups.calls.metadata);
    const message = {
      groupId,
      sessionTimeoutMs: options.sessionTimeoutMs ?? sessionTimeoutMsDefault,
      rebalanceTimeoutMs,
      memberId: this.memberId,
      groupInstanceId: options.groupInstanceId ?? null,
      protocolType: consumerProtocolType,
      protocols: this.#assignors.flatMap((assignor) => this.#protocols(assignor)),
    };
    // The answer comes when all have joined.
    const answer = await joining.once(groupId, where, (connection) =>
      connection.call(joinGroup, message, { extraTimeoutMs: rebalanceTimeoutMs }),
    );
    const error = errorFromCode(answer.errorCode, where);
    if (error?.code === "MEMBER_ID_REQUIRED") this.memberId = answer.memberId;
    if (error !== null) throw error;
    this.memberId = answer.memberId;
    return answer;
  }

  #protocols(assignor: ClassicAssignor) {
    const generation = this.#assignedIn;
    const owned = topicsOf(this.#parts.owner.owned());
    const userData = assignor.userData({ owned: topicsOf(this.#assigned), generation });
    const topics = this.#subscribed;
    const metadata = writeSubscription({ topics, userData, owned, generation });
    return assignor.protocolNames.map((name) => ({ name, metadata }));
  }

  async #sync(joined: Joined): Promise<readonly TopicPartition[]> {
    const { joining, options } = this.#parts;
    const { groupId } = options;
    const where = `Fetching the assignment of group ${groupId}`;
    const isLeader = joined.leader === joined.memberId;
    if (!isLeader) this.#leader.resign();
    const message = {
      groupId,
      generationId: joined.generationId,
      memberId: joined.memberId,
      groupInstanceId: options.groupInstanceId ?? null,
      protocolType: consumerProtocolType,
      protocolName: joined.protocolName,
      assignments: isLeader && !joined.skipAssignment ? await this.#assign(joined) : [],
    };
    const rebalanceTimeoutMs = options.rebalanceTimeoutMs ?? rebalanceTimeoutMsDefault;
    // The answer comes when the leader has assigned.
    const answer = await joining.once(groupId, where, (connection) =>
      connection.call(syncGroup, message, { extraTimeoutMs: rebalanceTimeoutMs }),
    );
    const error = errorFromCode(answer.errorCode, where);
    if (error !== null) throw error;
    return (readAssignment(answer.assignment) ?? []).flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    );
  }

  async #assign({ members, protocolName }: Joined) {
    const assigned = await this.#leader.assign(members, protocolName ?? "");
    return Array.from(assigned, ([memberId, topics]) => ({
      memberId,
      assignment: writeAssignment(assignmentVersion, topics),
    }));
  }

  // ---- staying ----

  #startHeartbeats(): Heartbeats {
    const { groups, options } = this.#parts;
    return new Heartbeats(groups, {
      groupId: options.groupId,
      generationId: this.generation,
      memberId: this.memberId,
      groupInstanceId: options.groupInstanceId ?? null,
      intervalMs: options.heartbeatIntervalMs ?? heartbeatIntervalMsDefault,
      checkMs: groups.calls.context.settings.metadataAgeMsMax,
      isOutdated: () => this.#isOutdated(),
    });
  }

  async #isOutdated(): Promise<boolean> {
    const { groups, choice } = this.#parts;
    if (await this.#leader.isOutdated()) return true;
    const names = await choice.names(groups.calls.metadata);
    return names.join() !== this.#subscribed.join();
  }

  /** Who is no longer a member begins anew; other errors that stay are the program's. */
  async #survives(error: ClientError): Promise<boolean> {
    const { owner } = this.#parts;
    if (error.code === "MEMBER_ID_REQUIRED" || error.code === "REBALANCE_IN_PROGRESS") return true;
    const isOut = error.code === "UNKNOWN_MEMBER_ID" || error.code === "ILLEGAL_GENERATION";
    if (isOut) {
      if (error.code === "UNKNOWN_MEMBER_ID") this.memberId = "";
      this.generation = -1;
      this.#assigned = [];
      this.#assignedIn = -1;
      await owner.revoke(owner.owned(), { isLost: true }).catch(() => {});
      return true;
    }
    if (error.retriable) return true;
    owner.fail(error);
    return false;
  }
}

function topicsOf(places: readonly TopicPartition[]): TopicPartitions[] {
  return byTopic(places, ({ partition }) => partition).map(({ name, partitions }) => ({
    topic: name,
    partitions,
  }));
}
