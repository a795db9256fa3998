// LogObject: a broker in a Durable Object, with everything or as one of several. The object's handlers are its doors (`fetch` is the HTTP app,
// `connect` the Kafka door), its SQLite database the disk, its alarm what wakes it for retention.

import {
  type ObjectStorage,
  type StreamSocket,
  UseCount,
  type WorkerdPlatform,
} from "../platforms/workerd.ts";
import type { Server } from "../server.ts";
import { endingWith, refusal } from "./lasting-answer.ts";
import { type Running, startObject, type Variables } from "./object-start.ts";
import { type ObjectId, roleOf } from "./objects.ts";

/** What workerd gives an object's constructor, as far as it is used. */
export interface ObjectContext {
  readonly id: ObjectId;
  readonly storage: ObjectStorage;
  blockConcurrencyWhile<T>(run: () => Promise<T>): Promise<T>;
}

/** Without requests and connections for so long, an object lets itself be taken out of memory. */
const idleMs = 5_000;

export class LogObject {
  readonly #storage: ObjectStorage;
  readonly #running: Promise<Running>;
  readonly #uses: UseCount;
  #started: Running | undefined;
  #noteOpened: (platform: WorkerdPlatform) => void = () => {};
  readonly #platform = new Promise<WorkerdPlatform>((resolve) => {
    this.#noteOpened = resolve;
  });

  constructor(ctx: ObjectContext, env: Variables) {
    this.#storage = ctx.storage;
    this.#uses = new UseCount({
      idleMs,
      idle: () => this.#rest(),
      busy: () => this.#started?.platform.clock.wake(),
    });
    // A start that fails is told to everybody who asks.
    this.#running = this.#start(ctx, env).then(unwrap);
    this.#running.then(
      (running) => {
        this.#started = running;
      },
      () => {},
    );
  }

  #start(ctx: ObjectContext, env: Variables): Promise<Settled<Running>> {
    const { storage } = ctx;
    const started = async (): Promise<Running> => {
      const role = roleOf(ctx.id.name, env.BROKERS);
      const running = await startObject({ storage, env, role, opened: this.#noteOpened });
      if (running.server) await wakeLater(storage, running.platform, running.server);
      return running;
    };
    // Nothing else is delivered meanwhile; but brokers ask each other already while they start.
    if (env.BROKERS !== undefined) return settled(started());
    return ctx.blockConcurrencyWhile(() => settled(started()));
  }

  async fetch(request: Request): Promise<Response> {
    this.#uses.enter();
    try {
      const response = await (await this.#running).platform.fetch(request);
      return endingWith(response, () => this.#uses.leave());
    } catch (error) {
      this.#uses.leave();
      return refusal(error);
    }
  }

  /** The Worker connects to an address that is the client's: there is no other way to tell it. */
  async connect(socket: StreamSocket): Promise<void> {
    this.#uses.enter();
    try {
      const { localAddress = "" } = await socket.opened;
      const accepted = this.#platform.then((platform) => platform.accept(socket, localAddress));
      // There is nobody who would accept it when the start has failed.
      await Promise.race([accepted, this.#running.then(() => accepted)]);
    } finally {
      this.#uses.leave();
    }
  }

  /** Retention while nobody calls: an object that is not used is not in memory, and its timers are gone. */
  async alarm(): Promise<void> {
    this.#uses.enter();
    try {
      const { server, platform } = await this.#running;
      if (server === undefined) return;
      server.keepHouse();
      await this.#storage.sync();
      await wakeLater(this.#storage, platform, server);
    } finally {
      this.#uses.leave();
    }
  }

  /** What the next start would have to read again is little after this. */
  #rest(): void {
    this.#started?.server?.keepHouse();
    this.#started?.platform.clock.rest();
  }
}

async function wakeLater(
  storage: ObjectStorage,
  platform: WorkerdPlatform,
  server: Server,
): Promise<void> {
  if ((await storage.getAlarm()) !== null) return;
  const delayMs = server.broker.config.number("log.retention.check.interval.ms");
  await storage.setAlarm(platform.clock.nowMs() + delayMs);
}

type Settled<T> = { readonly value: T } | { readonly error: unknown };

async function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error };
  }
}

function unwrap<T>(outcome: Settled<T>): T {
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}
