// A classic group with a clock in the test's hand, and requests that most tests make.

import * as assert from "uvu/assert";
import type { BrokerError } from "../../../runtime/errors.ts";
import type { JoinAnswer, JoinRequest } from "../../../runtime/group-coordinator.ts";
import { ClassicGroup } from "../../../runtime/groups/classic-group.ts";
import type { StoredClassicGroup } from "../../../runtime/groups/group-records.ts";
import { ManualClock } from "../../support/manual-clock.ts";

export const delayMs = 3000;
export const sessionMs = 10_000;
export const rebalanceMs = 60_000;

export class Scene {
  readonly clock = new ManualClock();
  readonly stored: StoredClassicGroup[] = [];
  membersMax = 100;
  persist: () => void | Promise<void> = () => {};
  readonly group: ClassicGroup;
  #ids = 0;

  constructor() {
    this.group = new ClassicGroup(
      {
        clock: this.clock,
        newId: () => `id${++this.#ids}`,
        limits: () => ({ initialRebalanceDelayMs: delayMs, membersMax: this.membersMax }),
        persist: (group, assignments) => {
          this.stored.push(group.stored(assignments));
          return this.persist();
        },
        rebalanced() {},
      },
      "g",
    );
  }

  join(request: Partial<JoinRequest> = {}): Promise<JoinAnswer> {
    return this.group.join({
      groupId: "g",
      memberId: "",
      groupInstanceId: null,
      clientId: "c",
      clientHost: "/127.0.0.1",
      sessionTimeoutMs: sessionMs,
      rebalanceTimeoutMs: rebalanceMs,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: bytes("topics") }],
      needsMemberId: false,
      canSkipAssignment: true,
      ...request,
    });
  }

  sync(joined: JoinAnswer, assignments: Record<string, string> = {}) {
    return Promise.resolve().then(() =>
      this.group.sync({
        groupId: "g",
        memberId: joined.memberId,
        groupInstanceId: null,
        generation: joined.generation,
        protocolType: null,
        protocolName: null,
        assignments: Object.entries(assignments).map(([memberId, text]) => ({
          memberId,
          assignment: bytes(text),
        })),
      }),
    );
  }

  beat(joined: JoinAnswer): string {
    const { memberId, generation } = joined;
    return codeOf(() =>
      this.group.heartbeat({ groupId: "g", memberId, groupInstanceId: null, generation }),
    );
  }

  /** Two members in a stable group, the first leads. */
  async stablePair(): Promise<[JoinAnswer, JoinAnswer]> {
    const joining = [this.join(), this.join()];
    await this.clock.advance(2 * delayMs);
    const [first, second] = (await Promise.all(joining)) as [JoinAnswer, JoinAnswer];
    const synced = this.sync(second);
    await this.sync(first, { [first.memberId]: "one", [second.memberId]: "two" });
    assert.equal(text((await synced).assignment), "two");
    return [first, second];
  }
}

export function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}

export function codeOf(run: () => unknown): string {
  try {
    run();
    return "NONE";
  } catch (error) {
    return (error as BrokerError).code;
  }
}

export async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "NONE";
  } catch (error) {
    return (error as BrokerError).code;
  }
}

export function protocol(metadata: string) {
  return { name: "range", metadata: bytes(metadata) };
}
