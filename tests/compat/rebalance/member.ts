// What members of both protocols have in common: a connection of their own, a pace at which they report, and what
// they hold. They read nothing: what is measured is how fast partitions find their owners.

import { BrokerConnection } from "../../../runtime/client/broker-connection.ts";
import { Context } from "../../../runtime/client/context.ts";
import { findCoordinator } from "../../../runtime/kafka/apis/find-coordinator.ts";
import { createPlatform } from "../../../runtime/platforms/node.ts";
import type { Address } from "../../support/server.ts";

export interface Seat {
  readonly server: Address;
  readonly groupId: string;
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: number;
  /** Told of every change of what anybody holds. */
  changed(): void;
}

export abstract class Member {
  memberId = "";
  held: ReadonlySet<number> = new Set();
  /** Taken away while it lived, since `forgetLosses`. */
  readonly lost: number[] = [];
  error: unknown;
  protected readonly seat: Seat;
  protected connection: BrokerConnection | undefined;
  #isOver = false;
  #wake = () => {};
  #ended: Promise<void> = Promise.resolve();

  constructor(seat: Seat) {
    this.seat = seat;
  }

  /** Resolves when it is in the group, with or without partitions; it lives on by itself then. */
  async start(): Promise<this> {
    const { host, port } = this.seat.server;
    const context = new Context({ platform: createPlatform(), bootstrap: [`${host}:${port}`] });
    this.connection = await BrokerConnection.open(context, { host, port }, () => {});
    // The first who asks makes the topic that groups are kept in.
    await this.call(findCoordinator, { keyType: 0, coordinatorKeys: [this.seat.groupId] });
    await this.join();
    this.#ended = this.#live();
    return this;
  }

  forgetLosses(): void {
    this.lost.length = 0;
  }

  /** Without a word. */
  async crash(): Promise<void> {
    this.#isOver = true;
    this.connection?.close();
    this.#wake();
    await this.#ended;
  }

  async leave(): Promise<void> {
    this.#isOver = true;
    this.#wake();
    await this.#ended;
    await this.goodbye();
    this.connection?.close();
  }

  /** Until it is a member. */
  protected abstract join(): Promise<void>;
  /** One report; the wait until the next, ms. */
  protected abstract report(): Promise<number>;
  protected abstract goodbye(): Promise<void>;

  protected holds(partitions: readonly number[]): void {
    const now = new Set(partitions);
    for (const partition of this.held) if (!now.has(partition)) this.lost.push(partition);
    this.held = now;
    this.seat.changed();
  }

  protected call<Req, ReqIn, Res, ResIn>(
    ...request: Parameters<typeof BrokerConnection.prototype.call<Req, ReqIn, Res, ResIn>>
  ): Promise<Res> {
    return this.connection!.call(...request);
  }

  async #live(): Promise<void> {
    try {
      while (!this.#isOver) {
        const waitMs = await this.report();
        if (waitMs > 0 && !this.#isOver) await this.#pause(waitMs);
      }
    } catch (error) {
      if (!this.#isOver) this.error = error;
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
