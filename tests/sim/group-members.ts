// Members of groups: they share the partitions, by the classic protocol or Kafka's newer one (KIP-848), and commit what
// they have read.

import type { GroupConsumer } from "../../runtime/client/mod.ts";
import { textOf, topic, type Workload } from "./workload.ts";

export type GroupProtocol = "classic" | "consumer";

const commitChance = 0.05;

/** One of those that share the partitions. */
export function share(
  workload: Workload,
  own: { readonly group: string; readonly name: string; readonly protocol: GroupProtocol },
): void {
  const { group, name, protocol } = own;
  const { history } = workload;
  const reader = `${group}.${name}`;
  const { client, process } = workload.open(name);
  let session = 0;
  let consumer: GroupConsumer | undefined;
  const seen = new Map<number, number>();
  const commit = async () => {
    const positions = [...seen];
    await consumer!.commit();
    for (const [partition, offset] of positions) {
      const entry = { group, partition, offset, atPoll: history.polls.length };
      history.commits.push({ ...entry, outcome: "ok" });
    }
  };
  const begin = () =>
    client.groupConsumer({
      groupId: group,
      topics: [topic],
      protocol,
      ...(protocol === "classic" ? { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500 } : {}),
      rebalanceTimeoutMs: 4_000,
      autoCommitMs: 0,
      offsetReset: "earliest",
      fetchWaitMsMax: 200,
      assigned: () => void session++,
      revoked: () => seen.clear(),
    });
  const round = async () => {
    try {
      consumer = begin();
      session++;
      seen.clear();
      for await (const { partition, offset, value } of consumer) {
        history.polls.push({
          reader,
          session,
          partition,
          records: [{ offset, value: textOf(value) }],
        });
        // It counts as read when the next one is asked for.
        seen.set(partition, offset);
        if (process.random.chance(commitChance)) await commit();
        if (workload.isOver) break;
      }
      await consumer.stop();
    } catch (error) {
      workload.refused(reader, error);
      await consumer?.stop().catch(() => {});
      await workload.rest(process);
    }
  };
  workload.repeat(process, round, async () => {});
  workload.onStop(async () => consumer?.stop());
}
