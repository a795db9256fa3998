// A well-behaved client beside a badly behaved one: it produces and reads one record after the other, and what it
// was promised must be there in the end. Also: how much memory a process took at most.

import { readFileSync } from "node:fs";
import { type Client, createClient } from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import type { TestServer } from "../support/server.ts";

const pauseMs = 10;

export class Bystander {
  readonly #topic: string;
  readonly #pid: number;
  readonly #client: Client;
  readonly #working: Promise<void>;
  readonly acknowledged: string[] = [];
  /** The longest that one record took to be acknowledged. */
  slowestMs = 0;
  /** The most that the server's event loop worked meanwhile: what others made a record wait for, however busy the machine. */
  slowestCpuMs = 0;
  #firstOffset = 0;
  #isOver = false;

  constructor(server: TestServer, topic: string) {
    this.#topic = topic;
    this.#pid = server.process.pid;
    this.#client = createClient({ platform: createPlatform(), bootstrap: [server.bootstrap] });
    this.#working = this.#work();
    this.#working.catch(() => {});
  }

  /** Ends the work and throws unless all went well: every record acknowledged and there, once, in order. */
  async finish(): Promise<void> {
    this.#isOver = true;
    await this.#working;
    const consumer = this.#client.consumer();
    const offset = this.#firstOffset;
    await consumer.assign([{ topic: this.#topic, partition: 0, offset }]);
    const seen: string[] = [];
    while (seen.length < this.acknowledged.length) {
      const batch = await consumer.poll(5_000);
      if (batch === null) break;
      for (const { value } of batch.records) seen.push(Buffer.from(value ?? []).toString());
    }
    if (seen.length === 0 || seen.join() !== this.acknowledged.join()) {
      throw new Error(`${this.acknowledged.length} records were acknowledged, ${seen.length} seen`);
    }
  }

  /** Leaves nothing running, whatever happened. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#working.catch(() => {});
    await this.#client.close();
  }

  async #work(): Promise<void> {
    const producer = this.#client.producer({ deliveryTimeoutMs: 20_000 });
    for (let i = 0; !this.#isOver; i += 1) {
      const value = `record ${i}`;
      const startMs = performance.now();
      const startCpuMs = mainThreadCpuMs(this.#pid);
      const { offset } = await producer.send({ topic: this.#topic, value });
      if (i === 0) this.#firstOffset = offset;
      this.slowestMs = Math.max(this.slowestMs, performance.now() - startMs);
      this.slowestCpuMs = Math.max(this.slowestCpuMs, mainThreadCpuMs(this.#pid) - startCpuMs);
      this.acknowledged.push(value);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    await producer.close();
  }
}

const msPerTick = 10;

/** What a process' event loop has worked since its start, as far as the system tells; else 0. */
function mainThreadCpuMs(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * msPerTick;
  } catch {
    return 0;
  }
}

/** The most memory that a process ever had, where the system tells. */
export function peakMiB(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  } catch {
    return undefined;
  }
}
