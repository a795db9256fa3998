// Heartbeats: tells a classic group's coordinator in the background that a member of one generation lives, whatever
// the program is busy with, and hears when the group rebalances.

import { heartbeat } from "../kafka/apis/heartbeat.ts";
import { asClientError, type ClientError, errorFromCode } from "./error.ts";
import type { GroupCalls } from "./group-calls.ts";

export interface HeartbeatTerms {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly intervalMs: number;
  /** Asked this often whether the group should share its partitions anew. */
  readonly checkMs: number;
  isOutdated(): Promise<boolean>;
}

export class Heartbeats {
  /** Resolves when it is time to join again; rejects when this member is out of the group. */
  readonly ended: Promise<void>;
  readonly #groups: GroupCalls;
  readonly #terms: HeartbeatTerms;
  #end: (error: ClientError | null) => void = () => {};
  #isStopped = false;
  #checkedMs: number;

  constructor(groups: GroupCalls, terms: HeartbeatTerms) {
    this.#groups = groups;
    this.#terms = terms;
    this.#checkedMs = groups.calls.context.nowMs();
    this.ended = new Promise((resolve, reject) => {
      this.#end = (error) => (error === null ? resolve() : reject(error));
    });
    // It may end while nobody waits yet: the program is still taking its partitions.
    this.ended.catch(() => {});
    void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    this.#end(null);
  }

  /** Goes on after a rebalance was announced: until this member joins, its session must not end. */
  async #run(): Promise<void> {
    const { context } = this.#groups.calls;
    while (!this.#isStopped && !context.closed) {
      await context.sleep(this.#terms.intervalMs);
      if (this.#isStopped || context.closed) break;
      const error = await this.#beat();
      if (error?.code === "REBALANCE_IN_PROGRESS") this.#end(null);
      else if (error !== null && !error.retriable) {
        this.#end(error);
        return;
      }
      this.#check();
    }
    this.#end(null);
  }

  /** What the coordinator says; while it does not answer, the next one asks again. */
  async #beat(): Promise<ClientError | null> {
    const { groupId, generationId, memberId, groupInstanceId } = this.#terms;
    const where = `Heartbeat of group ${groupId}`;
    const message = { groupId, generationId, memberId, groupInstanceId };
    try {
      return await this.#groups.once(groupId, where, async (connection) => {
        const error = errorFromCode((await connection.call(heartbeat, message)).errorCode, where);
        if (error?.retriable) throw error;
        return error;
      });
    } catch (thrown) {
      return asClientError(thrown, where);
    }
  }

  #check(): void {
    const { context } = this.#groups.calls;
    if (context.nowMs() - this.#checkedMs < this.#terms.checkMs) return;
    this.#checkedMs = context.nowMs();
    this.#terms.isOutdated().then(
      (isOutdated) => {
        if (isOutdated) this.#end(null);
      },
      // Not to be had now: the next check sees.
      () => {},
    );
  }
}
