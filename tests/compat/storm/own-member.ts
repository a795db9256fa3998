// A member of the storm that reads with our own client. Run by `own.ts`; exits with 3 when the client gives up.

import { type Client, createClient, type GroupConsumer } from "../../../runtime/client/mod.ts";
import { createPlatform } from "../../../runtime/platforms/node.ts";
import type { Seat } from "./member.ts";
import { Reporter } from "./reporter.ts";

const seat = JSON.parse(process.argv[2] ?? "") as Seat;
const told = new Reporter(seat.path);
const gaveUp = 3;
/** Behind the last finished record of each partition: a commit holds at least that. */
const done = new Map<number, number>();
let isCommitting = false;

const client: Client = createClient({ platform: createPlatform(), bootstrap: [seat.bootstrap] });
const consumer: GroupConsumer = client.groupConsumer({
  groupId: seat.group,
  topics: [seat.topic],
  protocol: seat.protocol,
  ...(seat.instanceId === null ? {} : { groupInstanceId: seat.instanceId }),
  sessionTimeoutMs: seat.sessionMs,
  heartbeatIntervalMs: seat.heartbeatMs,
  rebalanceTimeoutMs: seat.rebalanceMs,
  // What is read is written down before it is committed, so this member says when.
  autoCommitMs: 0,
  offsetReset: "earliest",
  assigned: (added) => {
    for (const { partition } of added) done.delete(partition);
    hold([...partitions(), ...added.map(({ partition }) => partition)]);
  },
  revoked: async (gone) => {
    await commit();
    release(gone);
  },
  lost: release,
});

function partitions(): number[] {
  return consumer.partitions.map(({ partition }) => partition);
}

function hold(held = partitions()): void {
  told.holds(consumer.memberId, consumer.generation, held);
}

function release(gone: readonly { readonly partition: number }[]): void {
  for (const { partition } of gone) done.delete(partition);
  hold();
}

async function commit(): Promise<void> {
  told.flush();
  const offsets = [...done];
  const sentMs = Date.now();
  try {
    await consumer.commit();
    told.committed(sentMs, offsets);
  } catch {
    // A rebalance came between: what is not committed is read again.
  }
}

const committing = setInterval(async () => {
  if (isCommitting) return;
  isCommitting = true;
  await commit();
  isCommitting = false;
}, seat.commitMs);

async function stop(code: number): Promise<void> {
  clearInterval(committing);
  await commit();
  await consumer.stop();
  await client.close();
  told.close();
  process.exit(code);
}

process.once("SIGTERM", () => void stop(0));
try {
  let last: { readonly partition: number; readonly offset: number } | undefined;
  for await (const record of consumer) {
    // A record is finished when the next one is asked for.
    if (last !== undefined && partitions().includes(last.partition)) {
      done.set(last.partition, last.offset + 1);
    }
    told.read(record.partition, record.offset);
    last = record;
  }
} catch (error) {
  console.error(error);
  await stop(gaveUp);
}
