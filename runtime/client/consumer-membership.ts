// ConsumerMembership: a member of the consumer protocol (KIP-848). It sends heartbeats; the answers say what to
// hold. It gives back first, says so, and takes what is new.

import type { TopicPartition } from "../broker.ts";
import { consumerGroupHeartbeat } from "../kafka/apis/consumer-group-heartbeat.ts";
import type { ResponseOf } from "../kafka/schema.ts";
import { zeroUuid } from "../kafka/uuid.ts";
import { asClientError, ClientError, errorFromCode } from "./error.ts";
import {
  type Membership,
  type MembershipParts,
  rebalanceTimeoutMsDefault,
  without,
} from "./membership.ts";

type Answer = ResponseOf<typeof consumerGroupHeartbeat>;
type Target = readonly { readonly topicId: string; readonly partitions: readonly number[] }[];

const joinEpoch = 0;
const leaveEpoch = -1;
const awayEpoch = -2;
/** The first version with a regular expression. */
const regexSince = 1;

export class ConsumerMembership implements Membership {
  readonly memberId: string;
  #epoch = joinEpoch;
  #isRunning = false;
  #isStopped = false;
  /** What was last said; only changes are told. */
  #toldOwned = "";
  /** What the coordinator wants this member to hold; null before it has said so. */
  #target: Target | null = null;
  #changing: Promise<void> | null = null;
  /** By topic id. */
  readonly #names = new Map<string, string>();
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
      } catch (thrown) {
        const error = asClientError(thrown, `Group ${this.#parts.options.groupId}`);
        if (!(await this.#survives(error))) return;
        await context.sleep(context.backoffMs(++failures));
      }
    }
  }

  async #send(memberEpoch: number): Promise<Answer> {
    const { groups, options, owner, choice } = this.#parts;
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
      subscribedTopicNames: joins && choice.regex === null ? choice.topics : null,
      subscribedTopicRegex: joins ? choice.regex : null,
      serverAssignor: joins ? (options.serverAssignor ?? null) : null,
      topicPartitions: tellsOwned ? this.#wire(joins ? [] : owner.owned()) : null,
    };
    const answer = await groups.once(groupId, where, (connection) => {
      if (choice.regex !== null && connection.version(consumerGroupHeartbeat) < regexSince) {
        const what = `${where}: the broker takes no patterns. Give topics, or use a newer broker.`;
        throw new ClientError("UNSUPPORTED_VERSION", what);
      }
      return connection.call(consumerGroupHeartbeat, message);
    });
    const error = errorFromCode(answer.errorCode, where, answer.errorMessage);
    if (error !== null) throw error;
    if (tellsOwned) this.#toldOwned = owned;
    return answer;
  }

  /** Works towards the target while heartbeats go on, and waits until the next one is due. */
  async #follow(answer: Answer): Promise<void> {
    const { context } = this.#parts.groups.calls;
    this.#epoch = answer.memberEpoch;
    if (answer.assignment !== null) this.#target = answer.assignment.topicPartitions;
    if (this.#target !== null && this.#changing === null) {
      this.#changing = this.#change(this.#target).finally(() => {
        this.#changing = null;
      });
    }
    const due = context.sleep(answer.heartbeatIntervalMs);
    await (this.#changing === null ? due : Promise.race([this.#changing, due]));
    // What changed is told at once, so that others get what was given back.
    if (this.#changing === null && this.#ownedText() === this.#toldOwned) await due;
  }

  async #change(target: Target): Promise<void> {
    const { owner } = this.#parts;
    try {
      const wanted = await this.#named(target);
      const gone = without(owner.owned(), wanted);
      if (gone.length > 0) await owner.revoke(gone, { isLost: false });
      const added = without(wanted, owner.owned());
      if (added.length > 0) await owner.assign(added);
    } catch (thrown) {
      const error = asClientError(thrown, "Changing partitions");
      if (!error.retriable) owner.fail(error);
    }
  }

  /** Fenced and forgotten members join again with nothing; other errors that stay are the program's. */
  async #survives(error: ClientError): Promise<boolean> {
    const { owner } = this.#parts;
    const isOut = error.code === "FENCED_MEMBER_EPOCH" || error.code === "UNKNOWN_MEMBER_ID";
    if (isOut) {
      this.#epoch = joinEpoch;
      this.#toldOwned = "";
      this.#target = null;
      await this.#changing;
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

  /** Without those of topics that are not known here yet: the next heartbeat looks again. */
  async #named(target: Target): Promise<TopicPartition[]> {
    const { choice, groups } = this.#parts;
    if (target.some(({ topicId }) => !this.#names.has(topicId))) {
      this.#names.clear();
      for (const { id, name } of await choice.look(groups.calls.metadata))
        this.#names.set(id, name);
    }
    return target.flatMap(({ topicId, partitions }) => {
      const topic = this.#names.get(topicId);
      return topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }));
    });
  }
}

/** As clients do: 16 random bytes in URL-safe base64. */
function randomId(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.slice(0, 22).replaceAll("+", "-").replaceAll("/", "_");
}
