// A member of the storm that reads with @platformatic/kafka. Run by `platformatic.ts`; exits with 3 when the
// client gives up.

import { subscribe } from "node:diagnostics_channel";
import { pathToFileURL } from "node:url";
import type { Seat } from "./member.ts";
import { Reporter } from "./reporter.ts";

interface Message {
  readonly partition: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
}
interface Offset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
}
interface Stream {
  on(event: "data", hear: (message: Message) => void): void;
  on(event: "error", hear: (error: Error) => void): void;
  close(): Promise<void>;
}
type Assignments = readonly { readonly partitions: readonly number[] }[] | null;
interface Consumer {
  readonly memberId: string | null;
  readonly generationId: number;
  assignments: Assignments;
  isActive(): boolean;
  on(event: string, hear: (...args: unknown[]) => void): void;
  consume(options: Record<string, unknown>): Promise<Stream>;
  commit(options: { readonly offsets: readonly Offset[] }): Promise<void>;
  close(force: boolean): Promise<void>;
}
interface Library {
  readonly Consumer: new (options: Record<string, unknown>) => Consumer;
}

const seat = JSON.parse(process.argv[2] ?? "") as Seat & { readonly module: string };
const told = new Reporter(seat.path);
const gaveUp = 3;
const done = new Map<number, Message>();
let isCommitting = false;
let epoch: number | null = null;

/** What is used of the answers to heartbeats and to OffsetFetch. */
interface Result {
  readonly memberEpoch?: number;
  readonly groups?: readonly { readonly topics?: readonly FetchedTopic[] }[];
}
interface FetchedTopic {
  readonly partitions: readonly {
    readonly partitionIndex: number;
    readonly committedOffset?: bigint;
  }[];
}

// The client keeps the member's epoch to itself, and the committed offsets; the broker's answers contain them.
subscribe("tracing:plt:kafka:connections:api:asyncStart", (answer) => {
  const { result } = answer as { readonly result?: Result };
  if (typeof result?.memberEpoch === "number") epoch = result.memberEpoch;
  if (!Array.isArray(result?.groups)) return;
  const topics = (result as Result).groups?.flatMap((group) => group.topics ?? []) ?? [];
  const found = topics.flatMap(({ partitions }) =>
    partitions.flatMap(({ partitionIndex, committedOffset }) =>
      committedOffset === undefined ? [] : [[partitionIndex, Number(committedOffset)] as const],
    ),
  );
  told.told(found);
});

const { Consumer } = (await import(pathToFileURL(seat.module).href)) as Library;
const isClassic = seat.protocol === "classic";
const consumer = new Consumer({
  clientId: "platformatic",
  bootstrapBrokers: [seat.bootstrap],
  groupId: seat.group,
  groupProtocol: seat.protocol,
  ...(seat.instanceId === null ? {} : { groupInstanceId: seat.instanceId }),
  sessionTimeout: seat.sessionMs,
  heartbeatInterval: seat.heartbeatMs,
  rebalanceTimeout: seat.rebalanceMs,
  retries: 20,
  retryDelay: 250,
});

/** What it holds is told the moment that it changes. */
let assignments: Assignments = consumer.assignments;
Object.defineProperty(consumer, "assignments", {
  get: () => assignments,
  set: (changed: Assignments) => {
    assignments = changed;
    const held = (changed ?? []).flatMap(({ partitions }) => partitions);
    for (const partition of done.keys()) if (!held.includes(partition)) done.delete(partition);
    told.holds(consumer.memberId ?? "", isClassic ? consumer.generationId : epoch, held);
  },
});

async function commit(): Promise<void> {
  told.flush();
  if (done.size === 0 || isCommitting || !consumer.isActive()) return;
  isCommitting = true;
  const offsets = Array.from(done.values(), ({ partition, offset, leaderEpoch }) => {
    return { topic: seat.topic, partition, offset: offset + 1n, leaderEpoch };
  });
  const sentMs = Date.now();
  try {
    await consumer.commit({ offsets });
    const pairs = offsets.map(({ partition, offset }) => [partition, Number(offset)] as const);
    told.committed(sentMs, pairs);
  } catch {
    // A rebalance came between: what is not committed is read again.
  }
  isCommitting = false;
}

function giveUp(error: unknown): void {
  console.error(error);
  told.close();
  process.exit(gaveUp);
}

consumer.on("consumer:group:rebalance", () => void commit());
consumer.on("error", giveUp);
const stream = await consumer
  .consume({
    topics: [seat.topic],
    mode: "committed",
    fallbackMode: "earliest",
    autocommit: false,
    maxWaitTime: 200,
  })
  .catch(giveUp);
stream?.on("error", giveUp);
stream?.on("data", (message) => {
  const { partition, offset } = message;
  told.read(partition, Number(offset));
  const isHeld = assignments?.some(({ partitions }) => partitions.includes(partition));
  if (isHeld) done.set(partition, message);
});
const committing = setInterval(() => void commit(), seat.commitMs);
process.once("SIGTERM", async () => {
  clearInterval(committing);
  await commit();
  await stream?.close();
  await consumer.close(true);
  told.close();
  process.exit(0);
});
