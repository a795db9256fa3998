// Thousands of SSE tails in one process: sockets that share one buffer, and look for the times that appends carry.

import * as net from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { type Address, request } from "./wire.ts";

export interface Tails {
  /** Waits until so many marks came, or the time is up. */
  delivered(count: number, limitMs: number): Promise<void>;
  /** Closes all of them; the times from append to arrival, ms. */
  close(): readonly number[];
}

/** Connections that are opened at once. */
const openAtOnce = 100;
const bufferBytes = 64 * 1024;

export async function openTails(address: Address, path: string, count: number): Promise<Tails> {
  const ask = request("GET", `${path}?offset=now&live=sse`, { accept: "text/event-stream" });
  const buffer = Buffer.alloc(bufferBytes);
  const times: number[] = [];
  const sockets: net.Socket[] = [];
  const open = () =>
    new Promise<void>((opened, fail) => {
      const callback = (length: number) => {
        opened();
        const nowMs = performance.now();
        if (buffer.indexOf("@@") < 0) return true;
        for (const [, mark] of buffer.toString("latin1", 0, length).matchAll(/@@([\d.]+)@@/g)) {
          times.push(nowMs - Number(mark));
        }
        return true;
      };
      const socket = net.connect({ ...address, onread: { buffer, callback } });
      socket.once("error", fail);
      socket.write(ask);
      sockets.push(socket);
    });
  for (let i = 0; i < count; i += openAtOnce) {
    await Promise.all(Array.from({ length: Math.min(openAtOnce, count - i) }, open));
  }
  return {
    async delivered(wanted, limitMs) {
      const endMs = performance.now() + limitMs;
      while (times.length < wanted && performance.now() < endMs) await pause(20);
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return times;
    },
  };
}
