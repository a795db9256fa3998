// A log inside a program: a whole broker whose two doors are function calls. Nothing listens, no port is taken; the
// same app answers `fetch`, and the same Kafka door the clients made here. Made by `mod.ts`.

import { type Client, type ClientOptions, createClient } from "./client/mod.ts";
import { connectionPair } from "./connection-pair.ts";
import { BrokerError } from "./errors.ts";
import type { Clock, Connection, HttpHandler, Listener, Platform, Timer } from "./platform.ts";
import type { RunningBroker } from "./running-broker.ts";

export interface EmbeddedLog {
  readonly server: RunningBroker;
  /** The HTTP door. Only the path and the query of a URL count: `log.fetch("/v1/topics")`. */
  fetch(url: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** A Kafka client of this log; closed with it. */
  client(options?: Omit<ClientOptions, "platform" | "bootstrap">): Client;
  /** Flushes and ends; clients first. */
  close(): Promise<void>;
}

/** What the broker of this process is called by its clients; nobody else can ask for it. */
const inside = { host: "localhost", port: 9092 };

const stayMs = 3_600_000;

/** The platform with doors that are called, not connected to. */
export class InsideDoors {
  readonly platform: Platform;
  #accept: ((connection: Connection) => void) | undefined;
  #answer: HttpHandler | undefined;

  constructor(platform: Platform) {
    const listener = (close: () => void): Listener => ({ ...inside, close: async () => close() });
    this.platform = {
      ...platform,
      network: {
        listen: async (_, accept) => {
          this.#accept = accept;
          return listener(() => {
            this.#accept = undefined;
          });
        },
        dial: async () => this.#dial(),
      },
      http: {
        listen: async (_, handler) => {
          this.#answer = handler;
          return listener(() => {
            this.#answer = undefined;
          });
        },
      },
    };
  }

  #dial(): Connection {
    if (this.#accept === undefined) throw closed();
    const [near, far] = connectionPair({ address: "inside", port: 0 });
    this.#accept(far);
    return near;
  }

  async fetch(request: Request): Promise<Response> {
    if (this.#answer === undefined) throw closed();
    return this.#answer(request, {});
  }
}

export function embedded(doors: InsideDoors, server: RunningBroker): EmbeddedLog {
  const clients = new Set<Client>();
  const stay = keepProcess(doors.platform.clock);
  return {
    server,
    fetch(url, init) {
      const asked = url instanceof Request ? url : new URL(url, `http://${inside.host}`);
      return doors.fetch(new Request(asked, init));
    },
    client(options = {}) {
      const bootstrap = [`${inside.host}:${inside.port}`];
      const client = createClient({ ...options, platform: doors.platform, bootstrap });
      clients.add(client);
      return client;
    },
    async close() {
      await Promise.all([...clients].map((client) => client.close()));
      await server.close();
      stay.end();
    },
  };
}

/** No socket keeps the process: it would exit while somebody awaits a record. As with an open port, `close` lets it. */
function keepProcess(clock: Clock): { end(): void } {
  let timer: Timer;
  const again = () => {
    timer = clock.after(stayMs, again, { keepAlive: true });
  };
  again();
  return { end: () => timer.cancel() };
}

function closed(): BrokerError {
  return new BrokerError("BROKER_NOT_AVAILABLE", "this log is closed: open it again");
}
