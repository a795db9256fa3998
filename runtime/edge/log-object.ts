// LogObject: a whole broker in one Durable Object. The object's handlers are its doors (`fetch` is the HTTP app,
// `connect` the Kafka door), its SQLite database the disk, its alarm what wakes it for retention.

import { formatProblem, loadConfig } from "../config.ts";
import { BrokerError } from "../errors.ts";
import {
  createPlatform,
  type ObjectStorage,
  type StreamSocket,
  UseCount,
  type WorkerdPlatform,
} from "../platforms/workerd.ts";
import { createServer, type Server } from "../server.ts";
import { Log, type LogLevel } from "../telemetry/logger.ts";
import { edgeDefaults } from "./edge-defaults.ts";

/** What workerd gives an object's constructor, as far as it is used. */
export interface ObjectContext {
  readonly storage: ObjectStorage;
  blockConcurrencyWhile<T>(run: () => Promise<T>): Promise<T>;
}

/**
 * Bindings. Strings named TIMBERLINE_… are configuration, as the environment of `timberline serve`. OBJECT_BYTES_MAX:
 * refuse to store more than that; COMPATIBILITY_DATE: the Worker's, for the metrics.
 */
export type Variables = Readonly<Record<string, unknown>>;

/** Without requests and connections for so long, an object lets itself be taken out of memory. */
const idleMs = 5_000;

interface Running {
  readonly platform: WorkerdPlatform;
  readonly server: Server;
}

export class LogObject {
  readonly #storage: ObjectStorage;
  readonly #running: Promise<Running>;
  readonly #uses: UseCount;
  #started: Running | undefined;

  constructor(ctx: ObjectContext, env: Variables) {
    this.#storage = ctx.storage;
    this.#uses = new UseCount({
      idleMs,
      idle: () => this.#rest(),
      busy: () => this.#started?.platform.clock.wake(),
    });
    // Nothing else is delivered meanwhile. A start that fails is told to everybody who asks.
    this.#running = ctx.blockConcurrencyWhile(() => settled(start(ctx.storage, env))).then(unwrap);
    this.#running.then(
      (running) => {
        this.#started = running;
      },
      () => {},
    );
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
      const { platform } = await this.#running;
      const { localAddress = "" } = await socket.opened;
      await platform.accept(socket, localAddress);
    } finally {
      this.#uses.leave();
    }
  }

  /** Retention while nobody calls: an object that is not used is not in memory, and its timers are gone. */
  async alarm(): Promise<void> {
    this.#uses.enter();
    try {
      const { server, platform } = await this.#running;
      server.keepHouse();
      await this.#storage.sync();
      await wakeLater(this.#storage, platform, server);
    } finally {
      this.#uses.leave();
    }
  }

  /** What the next start would have to read again is little after this. */
  #rest(): void {
    this.#started?.server.keepHouse();
    this.#started?.platform.clock.rest();
  }
}

/** Answers that wait for records, and need timers for it, as long as their reader stays. */
const lastingTypes = /^(text\/event-stream|application\/x-ndjson)/;

/** Calls `ended` when the answer is there or, of one that lasts, when all of it has left or its reader has. */
function endingWith(response: Response, ended: () => void): Response {
  const { body } = response;
  const type = response.headers.get("content-type") ?? "";
  if (body === null || !lastingTypes.test(type)) {
    ended();
    return response;
  }
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  body.pipeTo(writable).then(ended, ended);
  return new Response(readable, response);
}

async function start(storage: ObjectStorage, env: Variables): Promise<Running> {
  const texts = Object.entries(env).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  const { config, problems } = await loadConfig({
    env: { ...edgeDefaults, ...Object.fromEntries(texts) },
  });
  if (problems.length > 0) {
    throw new BrokerError("INVALID_CONFIG", problems.map(formatProblem).join("\n"));
  }
  const platform = createPlatform({
    storage,
    // With any other mode something is acknowledged before it is synced: then nothing may wait in memory.
    isBuffered: config.flush.mode === "group",
    ...platformOptions(env),
  });
  const level = (config.text("timberline.log.level") ?? "info") as LogLevel;
  const write = (line: string) => console.error(line.trimEnd());
  const log = new Log({ clock: platform.clock, level, format: "text", write });
  const server = await createServer({
    platform,
    config,
    logger: log.logger(),
    setLogLevel: (changed) => log.setLevel(changed),
    hasLateKafka: true,
  });
  await wakeLater(storage, platform, server);
  return { platform, server };
}

function platformOptions({ COMPATIBILITY_DATE: version, OBJECT_BYTES_MAX: limit }: Variables) {
  const storageBytesMax = Number(limit);
  return {
    ...(typeof version === "string" ? { version } : {}),
    ...(storageBytesMax > 0 ? { storageBytesMax } : {}),
  };
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

/** The one error shape of the HTTP door, for an object that could not start. */
function refusal(error: unknown): Response {
  const code = error instanceof BrokerError ? error.code : "UNKNOWN_SERVER_ERROR";
  const message = error instanceof Error ? error.message : String(error);
  return Response.json({ error: { code, message } }, { status: 503 });
}
