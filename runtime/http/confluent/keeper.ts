// Keeper: between the requests of their clients, instances stay members of their groups: the node that leads their log
// speaks for them, so that others need not wait for a slow client to give partitions back. What nobody uses goes.

import { isUnexpected } from "../error.ts";
import type { Door } from "../route.ts";
import type { Instance } from "./instance.ts";
import { type InstanceTable, toldMs } from "./instance-table.ts";
import type { Membership } from "./membership.ts";

/** `consumer.instance.timeout.ms` of the original, and how much later we may know of a use. */
const idleMsMax = 5 * 60_000 + toldMs;
const atOnceMax = 16;

export class Keeper {
  readonly #door: Door;
  readonly #table: InstanceTable;
  readonly #membership: Membership;
  #isSweeping = false;

  constructor(door: Door, table: InstanceTable, membership: Membership) {
    this.#door = door;
    this.#table = table;
    this.#membership = membership;
  }

  async sweep(): Promise<void> {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    try {
      const waiting = [...(await this.#table.own())];
      const next = async () => {
        for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
          await this.#keep(each);
        }
      };
      await Promise.all(Array.from({ length: atOnceMax }, next));
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isSweeping = false;
    }
  }

  async #keep(instance: Instance): Promise<void> {
    try {
      const idleMs = this.#door.platform.clock.nowMs() - instance.usedMs;
      if (idleMs < idleMsMax) await this.#membership.keep(instance);
      else if (await this.#table.removeIdle(instance)) await this.#membership.leave(instance);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (isUnexpected(error)) this.#door.report(error, "keeping consumer instances");
  }
}
