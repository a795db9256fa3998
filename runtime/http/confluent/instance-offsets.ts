// Where an instance is: offsets it commits for its group, and where it begins in partitions it holds newly: at the
// group's offset, else where its `auto.offset.reset` says.

import type { OffsetSpec, TopicPartition } from "../../broker.ts";
import type { BrokerError } from "../../errors.ts";
import type { FetchedOffset, OffsetToCommit } from "../../group-coordinator.ts";
import type { Door } from "../route.ts";
import { hasCode, RestError } from "./error.ts";
import { type Held, type Instance, movedTo } from "./instance.ts";

/** Knows every error there is. */
const newestCommitVersion = 9;
const noMember = { memberId: "", groupInstanceId: null, generation: -1 } as const;

/** What the group committed; -1 where it did not. Null asks for everything. */
export async function committedOffsets(
  door: Door,
  instance: Instance,
  partitions: readonly TopicPartition[] | null,
): Promise<readonly FetchedOffset[]> {
  const { group: groupId } = instance;
  await door.broker.groups.find(groupId);
  const anyone = { memberId: null, memberEpoch: -1, requireStable: partitions !== null };
  return door.broker.groups.fetchOffsets({ groupId, ...anyone, partitions });
}

/** Throws the first refusal. */
export async function commitOffsets(
  door: Door,
  instance: Instance,
  offsets: readonly OffsetToCommit[],
): Promise<void> {
  if (offsets.length === 0) return;
  const { group: groupId, memberId, epoch } = instance;
  await door.broker.groups.find(groupId);
  const member = epoch === 0 ? noMember : { ...noMember, memberId, generation: epoch };
  const terms = { retentionMs: -1, version: newestCommitVersion };
  const results = await door.broker.groups.commitOffsets({ groupId, ...member, ...terms, offsets });
  const refused = results.find((each): each is BrokerError => each !== null);
  if (refused) throw refused;
}

/** Positions that were read past and not committed by the instance itself. */
export function uncommitted({ held }: Instance): OffsetToCommit[] {
  return held.flatMap(({ topic, partition, offset, committed }) =>
    offset === null || offset === committed
      ? []
      : [{ topic, partition, offset, leaderEpoch: -1, metadata: "" }],
  );
}

export function asCommitted(held: readonly Held[]): readonly Held[] {
  return held.map((each) =>
    each.committed === each.offset ? each : { ...each, committed: each.offset },
  );
}

/** The partitions with a position each, as far as one is known by now. */
export async function positioned(door: Door, instance: Instance): Promise<readonly Held[]> {
  const open = instance.held.filter(({ offset }) => offset === null);
  if (open.length === 0) return instance.held;
  const committed = await committedOffsets(door, instance, open);
  const found = await Promise.all(
    open.map(async (each, i) => {
      const { error, offset } = committed[i]!;
      // A transaction commits it now: the next read knows.
      if (hasCode(error, "UNSTABLE_OFFSET_COMMIT")) return [];
      if (error !== null) throw error;
      return offset >= 0 ? [{ ...each, offset }] : resetOffset(door, instance, each);
    }),
  );
  const positions = found.flat();
  const moved = movedTo(instance.held, positions);
  return moved.map((each) => {
    const isNew = open.some((one) => one.topic === each.topic && one.partition === each.partition);
    // Where it begins needs no commit of its own.
    return isNew ? { ...each, committed: each.offset } : each;
  });
}

/** Where to go on when there is no offset, or none that exists. Nothing while nobody can tell. */
export async function resetOffset(
  door: Door,
  { reset }: Instance,
  place: TopicPartition,
): Promise<(TopicPartition & { offset: number })[]> {
  const { topic, partition } = place;
  if (reset === "none") {
    const where = `${topic}-${partition}`;
    throw new RestError(409, `no offset to begin at in ${where}, and auto.offset.reset is none`);
  }
  const offset = await offsetAt(door, place, reset);
  return offset === null ? [] : [{ topic, partition, offset }];
}

/** Null while the topic or its leader is not to be had. */
export async function offsetAt(
  door: Door,
  { topic, partition }: TopicPartition,
  spec: OffsetSpec,
): Promise<number | null> {
  const terms = { spec, currentLeaderEpoch: -1, isolation: "read_uncommitted" } as const;
  const found = await door.broker.listOffsets({ topic, partition, ...terms });
  return found.error === null && found.offset >= 0 ? found.offset : null;
}
