// What partitions look like to their leaders, each asked once for all of its own. A partition without a leader, or
// whose leader cannot be asked in time, has that as its answer; the others are still worth telling.

import type { TopicPartition } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { DescribedPartition } from "../routable-broker.ts";
import { isStale } from "./leader-changes.ts";
import { askLeader, groupBy, type RouterHost } from "./router-host.ts";

type Places = readonly TopicPartition[];

/** In the order asked. */
export async function describeAtLeaders(
  host: RouterHost,
  places: Places,
): Promise<readonly DescribedPartition[]> {
  const { leaders } = host;
  const found = new Map<TopicPartition, DescribedPartition>();
  const isOpen = (place: TopicPartition) => !found.has(place) || isStale(found.get(place));
  const leaderOf = (place: TopicPartition) => leaders.record(place)?.leader ?? host.local.brokerId;
  try {
    await leaders.retried(async () => {
      const asked = groupBy(places.filter(isOpen), leaderOf);
      await Promise.all(
        Array.from(asked, async ([id, own]) => {
          const answers = await describeAt(host, id, own);
          for (const [i, place] of own.entries()) found.set(place, answers[i]!);
        }),
      );
      const changing = places.find((place) => isOpen(place) && leaderOf(place) !== -1);
      if (changing !== undefined) throw found.get(changing);
    });
  } catch (error) {
    // Each partition says so itself.
    if (!isStale(error)) throw error;
  }
  return places.map((place) => found.get(place)!);
}

async function describeAt(
  host: RouterHost,
  id: number,
  places: Places,
): Promise<readonly DescribedPartition[]> {
  const { leaders } = host;
  const leads = () => places.every((place) => leaders.record(place)?.leader === id);
  try {
    return await leaders.ask(id, (leader) => askLeader(host, leader, "partitions", places), leads);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return places.map(() => error);
  }
}
