// ClassicMembership: a member of the classic protocol. It joins, lets the leader assign (or does it, by ranges),
// fetches its part, and sends heartbeats until one says that the group rebalances. Then it gives everything back
// and joins again.

import type { TopicPartition } from "../broker.ts";
import {
  consumerProtocolType,
  readAssignment,
  readSubscription,
  writeAssignment,
  writeSubscription,
} from "../consumer-protocol.ts";
import { heartbeat } from "../kafka/apis/heartbeat.ts";
import { joinGroup } from "../kafka/apis/join-group.ts";
import { leaveGroup } from "../kafka/apis/leave-group.ts";
import { syncGroup } from "../kafka/apis/sync-group.ts";
import type { ResponseOf } from "../kafka/schema.ts";
import { asClientError, type ClientError, errorFromCode } from "./error.ts";
import { type Membership, type MembershipParts, rebalanceTimeoutMsDefault } from "./membership.ts";
import { assignRange } from "./range-assignment.ts";

type Joined = ResponseOf<typeof joinGroup>;

const protocolName = "range";
const assignmentVersion = 0;
const sessionTimeoutMsDefault = 45_000;
const heartbeatIntervalMsDefault = 3_000;

export class ClassicMembership implements Membership {
  memberId = "";
  generation = -1;
  readonly #parts: MembershipParts;
  #isRunning = false;
  #isStopped = false;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
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
    const { groups, options, owner } = this.#parts;
    const { context } = groups.calls;
    for (let failures = 0; !this.#isStopped && !context.closed; ) {
      try {
        await this.#rebalance();
        failures = 0;
        await this.#stay();
        await owner.revoke(owner.owned(), { isLost: false });
      } catch (thrown) {
        const error = asClientError(thrown, `Group ${options.groupId}`);
        if (this.#isStopped) return;
        if (!(await this.#survives(error))) return;
        if (error.code !== "MEMBER_ID_REQUIRED") await context.sleep(context.backoffMs(++failures));
      }
    }
  }

  async #rebalance(): Promise<void> {
    const { owner } = this.#parts;
    const joined = await this.#join();
    const partitions = await this.#sync(joined);
    this.generation = joined.generationId;
    if (!this.#isStopped) await owner.assign(partitions);
  }

  async #join(): Promise<Joined> {
    const { groups, options } = this.#parts;
    const { groupId } = options;
    const where = `Joining group ${groupId}`;
    const rebalanceTimeoutMs = options.rebalanceTimeoutMs ?? rebalanceTimeoutMsDefault;
    const message = {
      groupId,
      sessionTimeoutMs: options.sessionTimeoutMs ?? sessionTimeoutMsDefault,
      rebalanceTimeoutMs,
      memberId: this.memberId,
      groupInstanceId: options.groupInstanceId ?? null,
      protocolType: consumerProtocolType,
      protocols: [{ name: protocolName, metadata: writeSubscription(options.topics, []) }],
    };
    // The answer comes when all have joined.
    const answer = await groups.once(groupId, where, (connection) =>
      connection.call(joinGroup, message, { extraTimeoutMs: rebalanceTimeoutMs }),
    );
    const error = errorFromCode(answer.errorCode, where);
    if (error?.code === "MEMBER_ID_REQUIRED") this.memberId = answer.memberId;
    if (error !== null) throw error;
    this.memberId = answer.memberId;
    return answer;
  }

  async #sync(joined: Joined): Promise<readonly TopicPartition[]> {
    const { groups, options } = this.#parts;
    const { groupId } = options;
    const where = `Fetching the assignment of group ${groupId}`;
    const isLeader = joined.leader === joined.memberId && !joined.skipAssignment;
    const message = {
      groupId,
      generationId: joined.generationId,
      memberId: joined.memberId,
      groupInstanceId: options.groupInstanceId ?? null,
      protocolType: consumerProtocolType,
      protocolName: joined.protocolName,
      assignments: isLeader ? await this.#assign(joined) : [],
    };
    const answer = await groups.once(groupId, where, (connection) =>
      connection.call(syncGroup, message),
    );
    const error = errorFromCode(answer.errorCode, where);
    if (error !== null) throw error;
    return (readAssignment(answer.assignment) ?? []).flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    );
  }

  /** This member leads: it says who reads what. */
  async #assign({ members }: Joined) {
    const { metadata } = this.#parts.groups.calls;
    const subscribers = members.map(({ memberId, groupInstanceId, metadata: bytes }) => ({
      memberId,
      groupInstanceId,
      topics: readSubscription(bytes)?.topics ?? [],
    }));
    const names = [...new Set(subscribers.flatMap(({ topics }) => topics))].sort();
    const partitionsOf = new Map<string, number>();
    for (const name of names) {
      const topic = await metadata.load(name, { create: false }).catch(() => undefined);
      if (topic) partitionsOf.set(name, topic.partitions.length);
    }
    const assigned = assignRange(subscribers, partitionsOf);
    return Array.from(assigned, ([memberId, topics]) => ({
      memberId,
      assignment: writeAssignment(assignmentVersion, topics),
    }));
  }

  /** Heartbeats until the group rebalances. */
  async #stay(): Promise<void> {
    const { groups, options } = this.#parts;
    const { groupId } = options;
    const where = `Heartbeat of group ${groupId}`;
    const { context } = groups.calls;
    while (!this.#isStopped && !context.closed) {
      await context.sleep(options.heartbeatIntervalMs ?? heartbeatIntervalMsDefault);
      if (this.#isStopped) return;
      const message = {
        groupId,
        generationId: this.generation,
        memberId: this.memberId,
        groupInstanceId: options.groupInstanceId ?? null,
      };
      const answer = await groups.at(groupId, where, (connection) =>
        connection.call(heartbeat, message).then((told) => {
          const error = errorFromCode(told.errorCode, where);
          if (error?.retriable) throw error;
          return error;
        }),
      );
      if (answer?.code === "REBALANCE_IN_PROGRESS") return;
      if (answer !== null) throw answer;
    }
  }

  /** Who is no longer a member begins anew; other errors that stay are the program's. */
  async #survives(error: ClientError): Promise<boolean> {
    const { owner } = this.#parts;
    if (error.code === "MEMBER_ID_REQUIRED" || error.code === "REBALANCE_IN_PROGRESS") return true;
    const isOut = error.code === "UNKNOWN_MEMBER_ID" || error.code === "ILLEGAL_GENERATION";
    if (isOut) {
      if (error.code === "UNKNOWN_MEMBER_ID") this.memberId = "";
      this.generation = -1;
      await owner.revoke(owner.owned(), { isLost: true }).catch(() => {});
      return true;
    }
    if (error.retriable) return true;
    owner.fail(error);
    return false;
  }
}
