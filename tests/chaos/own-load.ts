// Our own client in a run: an idempotent producer with acks=all, and a reader of all partitions from the beginning.

import type { Client } from "../../runtime/mod.ts";
import { createClient } from "../../runtime/mod.ts";
import { pause, platform } from "./fleet.ts";
import type { LoadClient, LoadPlace, Notebook } from "./load.ts";

const decoder = new TextDecoder();
const pollMs = 200;
const underWayMax = 300;

export function ownProducer(place: LoadPlace, notebook: Notebook): LoadClient {
  const name = "own";
  const client = createClient({ platform, bootstrap: place.bootstrap, clientId: name });
  const producer = client.producer();
  let isStopping = false;
  let underWay = 0;
  let number = 0;
  const sendOne = async (partition: number) => {
    const entry = notebook.send(name, number++, partition);
    underWay++;
    try {
      const { topic } = place;
      const sent = await producer.send({ topic, partition, key: name, value: entry.value });
      notebook.acknowledge(entry, sent.offset);
    } catch (error) {
      notebook.error(name, error);
    }
    underWay--;
  };
  const work = async () => {
    while (!isStopping) {
      for (let partition = 0; partition < place.partitions; partition++) {
        if (underWay < underWayMax) void sendOne(partition);
      }
      await pause(place.pauseMs);
    }
    await client.close();
  };
  const end = work();
  return {
    name,
    async stop() {
      isStopping = true;
      await end;
    },
  };
}

export function ownReader(place: LoadPlace, notebook: Notebook): LoadClient {
  const name = "own-reader";
  const client = createClient({ platform, bootstrap: place.bootstrap, clientId: name });
  let isStopping = false;
  const work = async () => {
    for (let session = 0; !isStopping; session++) {
      try {
        await readOn(client, place, {
          isOver: () => isStopping,
          take: (poll) => notebook.poll({ reader: name, session, ...poll }),
        });
      } catch (error) {
        notebook.error(name, error);
      }
    }
    await client.close();
  };
  const end = work();
  return {
    name,
    async stop() {
      isStopping = true;
      await end;
    },
  };
}

interface ReadPoll {
  readonly partition: number;
  readonly records: readonly { readonly offset: number; readonly value: string }[];
}

async function readOn(
  client: Client,
  { topic, partitions }: LoadPlace,
  told: { isOver(): boolean; take(poll: ReadPoll): void },
): Promise<void> {
  const consumer = client.consumer();
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  await consumer.assign(all.map((partition) => ({ topic, partition, offset: "earliest" })));
  while (!told.isOver()) {
    const batch = await consumer.poll(pollMs);
    if (batch === null) continue;
    const records = batch.records.map(({ offset, value }) => ({ offset, value: text(value) }));
    told.take({ partition: batch.partition, records });
  }
  await consumer.stop();
}

/** Everything that is in the topic, by partition, up to where it ends now. */
export async function readWhole(
  client: Client,
  place: LoadPlace,
): Promise<Map<number, ReadPoll["records"][number][]>> {
  const { topic, partitions } = place;
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const asked = all.map((partition) => ({ topic, partition, spec: "latest" as const }));
  const ends = new Map<number, number>();
  for (const { partition, offset, error } of await client.admin().listOffsets(asked)) {
    if (error !== null) throw error;
    ends.set(partition, offset);
  }
  const found = new Map(all.map((partition) => [partition, [] as ReadPoll["records"][number][]]));
  const isOver = () =>
    all.every((partition) => found.get(partition)!.length >= ends.get(partition)!);
  const endMs = performance.now() + readMsMax;
  await readOn(client, place, {
    isOver: () => isOver() || performance.now() > endMs,
    take: ({ partition, records }) => void found.get(partition)!.push(...records),
  });
  return found;
}

const readMsMax = 60_000;

function text(value: Uint8Array | null): string {
  return value === null ? "" : decoder.decode(value);
}
