// ConsumerMembership: a member of the consumer protocol (KIP-848). It sends heartbeats; the answers say what to
// hold. It gives back first, says so, and takes what is new.

import type { TopicPartition } from "../broker.ts";
import { consumerGroupHeartbeat } from "../kafka/apis/consumer-group-heartbeat.ts";
import type { ResponseOf } from "../kafka/schema.ts";
import { zeroUuid } from "../kafka/uuid.ts";
import { asClientError, type ClientError, errorFromCode } from "./error.ts";
import {
  type Membership,
  type MembershipParts,
  rebalanceTimeoutMsDefault,
  without,
} from "./membership.ts";

type Answer = ResponseOf<typeof consumerGroupHeartbeat>;

const joinEpoch = 0;
const leaveEpoch = -1;
const awayEpoch = -2;

export class ConsumerMembership implements Membership {
  readonly memberId: string;
  #epoch = joinEpoch;
  #isRunning = false;
  #isStopped = false;
  /** What was last said; only changes are told. */
  #toldOwned = "";
  #changing: Promise<void> | null = null;
  readonly #parts: MembershipParts;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    this.memberId = randomId(parts.groups.calls.context.platform.random.bytes(16));
  }

  get generation(): number {
    return this.#epoch === joinEpoch ? -1 : this.#epoch;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    if (this.#epoch === joinEpoch) return;
    const isStatic = this.#parts.options.groupInstanceId !== undefined;
    await this.#send(isStatic ? awayEpoch : leaveEpoch).catch(() => {});
  }

  async #run(): Promise<void> {
    const { context } = this.#parts.groups.calls;
    for (let failures = 0; !this.#isStopped && !context.closed; ) {
      try {
        const answer = await this.#send(this.#epoch);
        if (this.#isStopped) return;
        failures = 0;
        await this.#follow(answer);
        // What changed is told at once, so that others get what was given back.
        if (this.#ownedText() === this.#toldOwned || this.#changing !== null) {
          await context.sleep(answer.heartbeatIntervalMs);
        }
      } catch (thrown) {
        const error = asClientError(thrown, `Group ${this.#parts.options.groupId}`);
        if (!(await this.#survives(error))) return;
        await context.sleep(context.backoffMs(++failures));
      }
    }
  }

  async #send(memberEpoch: number): Promise<Answer> {
    const { groups, options, owner } = this.#parts;
    const { groupId } = options;
    const where = `Heartbeat of group ${groupId}`;
    const joins = memberEpoch === joinEpoch;
    const owned = this.#ownedText();
    const tellsOwned = joins || owned !== this.#toldOwned;
    const message = {
      groupId,
      memberId: this.memberId,
      memberEpoch,
      instanceId: options.groupInstanceId ?? null,
      rebalanceTimeoutMs: joins ? (options.rebalanceTimeoutMs ?? rebalanceTimeoutMsDefault) : -1,
      subscribedTopicNames: joins ? options.topics : null,
      topicPartitions: tellsOwned ? this.#wire(joins ? [] : owner.owned()) : null,
    };
    const answer = await groups.once(groupId, where, (connection) =>
      connection.call(consumerGroupHeartbeat, message),
    );
    const error = errorFromCode(answer.errorCode, where, answer.errorMessage);
    if (error !== null) throw error;
    if (tellsOwned) this.#toldOwned = owned;
    return answer;
  }

  async #follow(answer: Answer): Promise<void> {
    this.#epoch = answer.memberEpoch;
    if (answer.assignment === null) return;
    const target = await this.#named(answer.assignment.topicPartitions);
    const { owner } = this.#parts;
    // Heartbeats go on while the program finishes with what it gives back.
    await this.#changing;
    const gone = without(owner.owned(), target);
    this.#changing = owner
      .revoke(gone, { isLost: false })
      .then(() => owner.assign(without(target, owner.owned())))
      .catch((error: unknown) => owner.fail(asClientError(error, "Changing partitions")))
      .finally(() => {
        this.#changing = null;
      });
    const { context } = this.#parts.groups.calls;
    await Promise.race([this.#changing, context.sleep(answer.heartbeatIntervalMs)]);
  }

  /** Fenced and forgotten members join again with nothing; other errors that stay are the program's. */
  async #survives(error: ClientError): Promise<boolean> {
    const { owner } = this.#parts;
    const isOut = error.code === "FENCED_MEMBER_EPOCH" || error.code === "UNKNOWN_MEMBER_ID";
    if (isOut) {
      this.#epoch = joinEpoch;
      this.#toldOwned = "";
      await owner.revoke(owner.owned(), { isLost: true }).catch(() => {});
      return true;
    }
    if (error.retriable || error.code === "UNRELEASED_INSTANCE_ID") return true;
    if (!this.#isStopped) owner.fail(error);
    return false;
  }

  // ---- topics by id ----

  #ownedText(): string {
    const places = this.#parts.owner.owned().map((place) => `${place.topic} ${place.partition}`);
    return places.sort().join(",");
  }

  #wire(places: readonly TopicPartition[]) {
    const { metadata } = this.#parts.groups.calls;
    const topics = new Map<string, number[]>();
    for (const { topic, partition } of places) {
      const id = metadata.known(topic)?.id ?? zeroUuid;
      const partitions = topics.get(id) ?? [];
      topics.set(id, partitions);
      partitions.push(partition);
    }
    return Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions }));
  }

  async #named(
    assigned: readonly { topicId: string; partitions: readonly number[] }[],
  ): Promise<TopicPartition[]> {
    const { options, groups } = this.#parts;
    const { metadata } = groups.calls;
    const known = await Promise.all(
      options.topics.map((topic) => metadata.load(topic, { create: false }).catch(() => undefined)),
    );
    const names = new Map(known.flatMap((topic) => (topic ? [[topic.id, topic.name]] : [])));
    return assigned.flatMap(({ topicId, partitions }) => {
      const topic = names.get(topicId);
      return topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }));
    });
  }
}

/** As clients do: 16 random bytes in URL-safe base64. */
function randomId(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.slice(0, 22).replaceAll("+", "-").replaceAll("/", "_");
}
