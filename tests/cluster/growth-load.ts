// Load on a cluster that grows and shrinks: records at a steady rate, how long each takes until it is acknowledged,
// by phase, and in the end whether every acknowledged one is there exactly once.

import type { Client } from "../../runtime/client/mod.ts";

export interface PhaseFigures {
  readonly phase: string;
  readonly seconds: number;
  readonly records: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export class SteadyLoad {
  readonly #client: Client;
  readonly #topic: string;
  readonly #options: { partitions: number; perSecond: number; valueBytes: number };
  readonly #acknowledged = new Set<number>();
  readonly #waiting = new Set<Promise<void>>();
  #next = 0;
  #failed = 0;
  #latenciesMs: number[] = [];
  #isRunning = true;
  #pump: Promise<void> | undefined;

  constructor(
    client: Client,
    topic: string,
    options: { partitions: number; perSecond: number; valueBytes: number },
  ) {
    this.#client = client;
    this.#topic = topic;
    this.#options = options;
  }

  start(): void {
    this.#pump ??= this.#run();
  }

  /** Figures of what was sent while `work` ran. */
  async during(phase: string, work: () => Promise<unknown>): Promise<PhaseFigures> {
    this.#latenciesMs = [];
    this.#failed = 0;
    const startMs = performance.now();
    await work();
    const sorted = this.#latenciesMs.sort((a, b) => a - b);
    this.#latenciesMs = [];
    const quantile = (part: number) => round(sorted[Math.floor((sorted.length - 1) * part)] ?? 0);
    return {
      phase,
      seconds: round((performance.now() - startMs) / 1_000),
      records: sorted.length,
      failed: this.#failed,
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
      maxMs: quantile(1),
    };
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#pump;
    await Promise.all(this.#waiting);
  }

  /** Of the acknowledged records those that are not in the log, and those that are there twice. */
  async verify(): Promise<{ acknowledged: number; lost: number; twice: number }> {
    const admin = this.#client.admin();
    const places = Array.from({ length: this.#options.partitions }, (_, partition) => {
      return { topic: this.#topic, partition };
    });
    const ends = new Map<number, number>();
    const latest = places.map((place) => ({ ...place, spec: "latest" as const }));
    for (const { partition, offset } of await admin.listOffsets(latest)) {
      if (offset > 0) ends.set(partition, offset);
    }
    const consumer = this.#client.consumer();
    await consumer.assign(places.map((place) => ({ ...place, offset: 0 })));
    const seen = new Map<number, number>();
    for await (const { partition, records, nextOffset } of consumer.batches()) {
      for (const { key } of records) {
        if (key === null) continue;
        const id = new DataView(key.buffer, key.byteOffset).getUint32(0);
        seen.set(id, (seen.get(id) ?? 0) + 1);
      }
      if (nextOffset >= (ends.get(partition) ?? 0)) ends.delete(partition);
      if (ends.size === 0) break;
    }
    await consumer.stop();
    const counts = [...this.#acknowledged].map((id) => seen.get(id) ?? 0);
    const lost = counts.filter((count) => count === 0).length;
    const twice = [...seen.values()].filter((count) => count > 1).length;
    return { acknowledged: counts.length, lost, twice };
  }

  async #run(): Promise<void> {
    const { perSecond } = this.#options;
    const producer = this.#client.producer({ acks: -1, idempotent: true, lingerMs: 0 });
    const startMs = performance.now();
    let sent = 0;
    while (this.#isRunning) {
      const due = Math.floor(((performance.now() - startMs) / 1_000) * perSecond);
      for (; sent < due; sent++) this.#send(producer);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await producer.close();
  }

  #send(producer: ReturnType<Client["producer"]>): void {
    const { partitions, valueBytes } = this.#options;
    const id = this.#next++;
    const key = new Uint8Array(4);
    new DataView(key.buffer).setUint32(0, id);
    const value = new Uint8Array(valueBytes);
    const startMs = performance.now();
    const record = { topic: this.#topic, partition: id % partitions, key, value };
    const answer = producer.send(record).then(
      () => {
        this.#acknowledged.add(id);
        this.#latenciesMs.push(performance.now() - startMs);
      },
      () => {
        this.#failed++;
      },
    );
    this.#waiting.add(answer);
    void answer.then(() => this.#waiting.delete(answer));
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
