// MetadataLog served to other processes: the conformance suite over a pair of wires, and what a connection adds: it
// breaks, and the client goes on from where it was.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { openLogClient } from "../../cluster/log-client.ts";
import { serveLog } from "../../cluster/log-server.ts";
import type { Wire } from "../../cluster/log-wire.ts";
import { LogUnavailable, type MetadataLog } from "../../cluster/metadata-log.ts";
import { SharedLogStore } from "../../cluster/shared-log.ts";
import { metadataLogSuite } from "./metadata-log.ts";

const clock = {
  monotonicMs: () => performance.now(),
  after(delayMs: number, run: () => void) {
    // Dialling again is quick here.
    const timer = setTimeout(run, delayMs < 1_000 ? 2 : delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Two ends in one process; lines arrive in order, a turn later. */
function wirePair(): [Wire, Wire] {
  const handlers: Parameters<Wire["open"]>[0][] = [];
  let isOpen = true;
  const end = (own: number): Wire => ({
    send: (line) => queueMicrotask(() => isOpen && handlers[1 - own]?.received(line)),
    open: (given) => {
      handlers[own] = given;
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      for (const handler of handlers) queueMicrotask(() => handler.closed());
    },
  });
  return [end(0), end(1)];
}

class Service {
  readonly store = new SharedLogStore();
  readonly wires: Wire[] = [];
  isAway = false;

  async open(): Promise<MetadataLog> {
    const log = openLogClient({ clock, dial: () => this.#dial() });
    return new Promise((resolve) => {
      log.onConnection((isConnected) => isConnected && resolve(log));
    });
  }

  async close(): Promise<void> {
    await this.store.close();
  }

  async #dial(): Promise<Wire> {
    if (this.isAway) throw new Error("refused");
    const [near, far] = wirePair();
    serveLog(this.store.open(), far);
    this.wires.push(far);
    return near;
  }
}

metadataLogSuite("served", () => new Service());

test("LogClient follows on where it was after the connection broke", async () => {
  const service = new Service();
  const log = await service.open();
  const heard: string[] = [];
  const states: boolean[] = [];
  log.onConnection((isConnected) => states.push(isConnected));
  log.follow(0, {
    entry: ({ bytes }) => void heard.push(new TextDecoder().decode(bytes)),
    caughtUp: () => {},
    reset: () => void heard.push("reset"),
  });
  const put = (expected: number) =>
    log.append({ expected, id: `${expected}`, bytes: new TextEncoder().encode(`${expected}`) });
  await put(0);
  service.isAway = true;
  service.wires[0]!.close();
  await settled();
  assert.instance(await put(1).catch((error) => error), LogUnavailable);
  service.isAway = false;
  for (let wait = 0; wait < 100 && states.at(-1) !== true; wait++) await settled();
  assert.is(await put(1), 2);
  await settled();
  assert.equal(heard, ["0", "1"]);
  assert.equal(states, [true, false, true]);
  await log.close();
  await service.close();
});

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

test.run();
