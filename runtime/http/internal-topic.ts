// Topics in which the HTTP door itself remembers something. They are as safe as the cluster can make them: three
// replicas, or as many as there are brokers.

import type { TopicPartition } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { RoutableBroker } from "../routable-broker.ts";
import { decodeFetched } from "./fetched-records.ts";
import type { Door } from "./route.ts";

const replicasMax = 3;
const readBytes = 1024 * 1024;

/** A key and its newest text; null removes it. */
export type Entry = readonly [key: string, text: string | null];

export interface EntryPage {
  readonly entries: readonly Entry[];
  readonly nextOffset: number;
  /** There was nothing more at that moment. */
  readonly isEnd: boolean;
}

/** Makes it unless it is there. Rejects with `BrokerError`. */
export async function ensureInternalTopic(
  broker: RoutableBroker,
  topic: {
    readonly name: string;
    readonly partitions: number;
    readonly configs: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const { name, partitions, configs } = topic;
  const { topics, brokers } = broker.cluster();
  if (topics.has(name)) return;
  const living = [...brokers.values()].filter(({ fenced }) => !fenced).length;
  const replicationFactor = Math.max(1, Math.min(replicasMax, living));
  try {
    const request = {
      name,
      partitions,
      replicationFactor,
      configs: new Map(Object.entries(configs)),
    };
    await broker.createTopic(request);
  } catch (error) {
    // Somebody else was first.
    if (!(error instanceof BrokerError) || error.code !== "TOPIC_ALREADY_EXISTS") throw error;
  }
}

/** What is said from `offset` on, by key. Rejects with `BrokerError`, also OFFSET_OUT_OF_RANGE. */
export async function readEntries(
  door: Door,
  place: TopicPartition & { readonly offset: number },
  waitMs: number,
): Promise<EntryPage> {
  const { offset } = place;
  const [fetched] = await door.broker.fetch({
    partitions: [{ ...place, bytesMax: readBytes, currentLeaderEpoch: -1 }],
    waitMsMax: waitMs,
    bytesMin: 1,
    bytesMax: readBytes,
    isolation: "read_uncommitted",
  });
  if (fetched === undefined) throw new Error("a fetch answered nothing");
  const anywhere = Number.POSITIVE_INFINITY;
  const range = { offset, endOffset: anywhere, recordsMax: anywhere };
  const { records, nextOffset } = await decodeFetched(door, fetched, range);
  const decoder = new TextDecoder();
  const entries = records.flatMap(({ key, value }): Entry[] =>
    key === null ? [] : [[decoder.decode(key), value === null ? null : decoder.decode(value)]],
  );
  const isEnd = nextOffset === offset || nextOffset >= fetched.highWatermark;
  return { entries, nextOffset, isEnd };
}
