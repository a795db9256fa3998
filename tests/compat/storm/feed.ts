// Puts the flights into the topic while the storm goes on: a part at once, the rest evenly over its time.

import type { Client } from "../../../runtime/client/mod.ts";
import { type FlightsFile, parseFlights, partitionOfKey, readChunks } from "../flights.ts";

const headStart = 0.2;
const lookMs = 20;

export interface Feed {
  readonly client: Client;
  readonly topic: string;
  readonly partitions: number;
  readonly file: FlightsFile;
  readonly durationMs: number;
}

export class Feeder {
  readonly #feed: Feed;
  /** There are some hundred keys. */
  readonly #partitionOf = new Map<string, number>();
  /** Records acknowledged so far. */
  sent = 0;

  constructor(feed: Feed) {
    this.#feed = feed;
  }

  async run(): Promise<void> {
    const { client, topic, file, durationMs } = this.#feed;
    const producer = client.producer({ lingerMs: 5 });
    const startedMs = performance.now();
    for await (const chunk of readChunks(file)) {
      for (;;) {
        const elapsed = Math.min(1, (performance.now() - startedMs) / durationMs);
        if (this.sent <= file.count * (headStart + (1 - headStart) * elapsed)) break;
        await new Promise((resolve) => setTimeout(resolve, lookMs));
      }
      const records = parseFlights(chunk).map(({ key, line, timestampMs }) => {
        return { topic, partition: this.#partition(key), key, value: line, timestampMs };
      });
      await producer.sendBatch(records);
      this.sent += records.length;
    }
    await producer.close();
  }

  #partition(key: string): number {
    const known = this.#partitionOf.get(key);
    if (known !== undefined) return known;
    const partition = partitionOfKey(key, this.#feed.partitions);
    this.#partitionOf.set(key, partition);
    return partition;
  }
}
