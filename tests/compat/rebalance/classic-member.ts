// A member of the classic protocol that keeps what it has while it joins again; the leader spreads the topic's
// partitions in runs.

import {
  readAssignment,
  type TopicPartitions,
  writeAssignment,
} from "../../../runtime/consumer-protocol.ts";
import { heartbeat } from "../../../runtime/kafka/apis/heartbeat.ts";
import { joinGroup } from "../../../runtime/kafka/apis/join-group.ts";
import { leaveGroup } from "../../../runtime/kafka/apis/leave-group.ts";
import { syncGroup } from "../../../runtime/kafka/apis/sync-group.ts";
import { errorCodes } from "../../../runtime/kafka/error-codes.ts";
import { subscription } from "../../unit/groups/migration-scene.ts";
import { Member, type Seat } from "./member.ts";

export interface Pace {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
}

const rebalanceTimeoutMs = 30_000;
const protocolType = "consumer";
const protocolName = "range";
const again: readonly number[] = [
  errorCodes.REBALANCE_IN_PROGRESS,
  errorCodes.MEMBER_ID_REQUIRED,
  errorCodes.ILLEGAL_GENERATION,
];
const attemptsMax = 50;

export class ClassicMember extends Member {
  readonly #pace: Pace;
  #generation = -1;

  constructor(seat: Seat, pace: Pace) {
    super(seat);
    this.#pace = pace;
  }

  protected async join(): Promise<void> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (await this.#joinOnce()) return;
    }
    throw new Error(`${this.memberId} could not join in ${attemptsMax} attempts`);
  }

  protected async report(): Promise<number> {
    const answer = await this.call(heartbeat, { ...this.#self, generationId: this.#generation });
    if (again.includes(answer.errorCode)) await this.join();
    else requireNone(answer, "Heartbeat");
    return this.#pace.heartbeatIntervalMs;
  }

  protected async goodbye(): Promise<void> {
    const { groupId } = this.seat;
    await this.call(leaveGroup, { groupId, members: [{ memberId: this.memberId }] });
  }

  get #self() {
    return { groupId: this.seat.groupId, memberId: this.memberId };
  }

  async #joinOnce(): Promise<boolean> {
    const { topic } = this.seat;
    const joined = await this.call(
      joinGroup,
      {
        ...this.#self,
        sessionTimeoutMs: this.#pace.sessionTimeoutMs,
        rebalanceTimeoutMs,
        protocolType,
        protocols: [{ name: protocolName, metadata: subscription([topic], []) }],
      },
      { extraTimeoutMs: rebalanceTimeoutMs },
    );
    this.memberId = joined.memberId;
    if (again.includes(joined.errorCode)) return false;
    requireNone(joined, "JoinGroup");
    this.#generation = joined.generationId;
    const members = joined.members.map(({ memberId }) => memberId);
    const synced = await this.call(syncGroup, {
      ...this.#self,
      generationId: joined.generationId,
      protocolType,
      protocolName,
      assignments: this.#spread(members),
    });
    if (again.includes(synced.errorCode)) return false;
    requireNone(synced, "SyncGroup");
    const assigned: readonly TopicPartitions[] = readAssignment(synced.assignment) ?? [];
    this.holds(assigned.flatMap(({ partitions }) => partitions));
    return true;
  }

  #spread(members: readonly string[]) {
    const { topic, partitions: count } = this.seat;
    const each = Math.ceil(count / members.length);
    return members.map((memberId, i) => {
      const size = Math.max(0, Math.min(each, count - i * each));
      const partitions = Array.from({ length: size }, (_, at) => i * each + at);
      return { memberId, assignment: writeAssignment(1, [{ topic, partitions }]) };
    });
  }
}

function requireNone({ errorCode }: { errorCode: number }, what: string): void {
  if (errorCode !== 0) throw new Error(`${what} was answered ${errorCode}`);
}
