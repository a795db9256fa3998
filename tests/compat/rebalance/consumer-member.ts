// A member of the consumer protocol as Kafka's client is one: it reports at the pace it is told, and at once when
// it has taken or given back what it was told to.

import { consumerGroupHeartbeat } from "../../../runtime/kafka/apis/consumer-group-heartbeat.ts";
import { Member } from "./member.ts";

const rebalanceTimeoutMs = 30_000;

export class ConsumerMember extends Member {
  override memberId: string = crypto.randomUUID();
  #epoch = 0;
  /** What it was told to hold and has not said it does. */
  #mustSay = true;

  protected async join(): Promise<void> {
    await this.#heartbeat();
  }

  protected async report(): Promise<number> {
    const intervalMs = await this.#heartbeat();
    return this.#mustSay ? 0 : intervalMs;
  }

  protected async goodbye(): Promise<void> {
    this.#epoch = -1;
    await this.#heartbeat();
  }

  async #heartbeat(): Promise<number> {
    const { groupId, topic, topicId } = this.seat;
    const joins = this.#epoch === 0;
    const partitions = [...this.held];
    const owned = joins || partitions.length === 0 ? [] : [{ topicId, partitions }];
    const answer = await this.call(consumerGroupHeartbeat, {
      groupId,
      memberId: this.memberId,
      memberEpoch: this.#epoch,
      rebalanceTimeoutMs: joins ? rebalanceTimeoutMs : -1,
      subscribedTopicNames: joins ? [topic] : null,
      topicPartitions: this.#mustSay ? owned : null,
    });
    if (answer.errorCode !== 0) {
      throw new Error(`heartbeat of ${this.memberId}: ${answer.errorCode} ${answer.errorMessage}`);
    }
    this.#mustSay = answer.assignment !== null;
    this.#epoch = answer.memberEpoch;
    if (answer.assignment !== null) {
      this.holds(answer.assignment.topicPartitions.flatMap((each) => each.partitions));
    }
    return answer.heartbeatIntervalMs;
  }
}
