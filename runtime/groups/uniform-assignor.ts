// The uniform assignor: every member gets as many partitions as any other, as far as subscriptions allow, and keeps
// as many as possible of those it had. Where all members read the same topics, counts differ by one at most and
// nobody loses more than it must.

import { type AssignedMember, type Assignor, inStableOrder } from "./assignor.ts";
import { holds } from "./partition-set.ts";

interface Place {
  readonly topicId: string;
  readonly partition: number;
}

interface Share {
  readonly member: AssignedMember;
  readonly places: Place[];
}

/** Moves of single partitions when subscriptions differ: a bound, far above what real groups need. */
const movesMax = 100_000;

export const assignUniformly: Assignor = (members, partitionsOf) => {
  const shares = inStableOrder(members).map((member): Share => ({ member, places: [] }));
  const isSame = haveSameTopics(members);
  const free = keepOld(shares, partitionsOf, isSame);
  if (isSame) fillQuotas(shares, free);
  else {
    for (const place of free) lightest(readersOf(shares, place))?.places.push(place);
    balance(shares);
  }
  return new Map(shares.map(({ member, places }) => [member.memberId, asSet(places)]));
};

/** Gives members what they had, up to their quota if all read the same; returns what nobody has. */
function keepOld(
  shares: readonly Share[],
  partitionsOf: ReadonlyMap<string, number>,
  isSame: boolean,
): Place[] {
  const total = [...partitionsOf.values()].reduce((sum, count) => sum + count, 0);
  const quota = Math.floor(total / shares.length);
  let extra = total % shares.length;
  const taken = new Map<string, Uint8Array>();
  for (const [topicId, count] of partitionsOf) taken.set(topicId, new Uint8Array(count));
  for (const { member, places } of shares) {
    for (const [topicId, partitions] of member.target) {
      const isTaken = member.topicIds.has(topicId) ? taken.get(topicId) : undefined;
      if (isTaken === undefined) continue;
      for (const partition of partitions) {
        if (isSame && places.length >= quota + (extra > 0 ? 1 : 0)) break;
        // Not there any more, or another member's.
        if (isTaken[partition] !== 0) continue;
        isTaken[partition] = 1;
        places.push({ topicId, partition });
      }
    }
    if (isSame && places.length > quota) extra--;
  }
  const free: Place[] = [];
  for (const [topicId, isTaken] of taken) {
    for (const [partition, mark] of isTaken.entries()) {
      if (mark === 0) free.push({ topicId, partition });
    }
  }
  return free;
}

function fillQuotas(shares: readonly Share[], free: readonly Place[]): void {
  const total = shares.reduce((sum, { places }) => sum + places.length, 0) + free.length;
  const quota = Math.floor(total / shares.length);
  let extra = total % shares.length;
  for (const { places } of shares) if (places.length > quota) extra--;
  let next = 0;
  for (const { places } of shares) {
    while (places.length < quota && next < free.length) places.push(free[next++]!);
  }
  for (const { places } of shares) {
    if (extra <= 0 || next >= free.length) break;
    if (places.length > quota) continue;
    places.push(free[next++]!);
    extra--;
  }
}

/** Moves single partitions from members that have two more than another who could take them. */
function balance(shares: readonly Share[]): void {
  for (let moves = 0; moves < movesMax; moves++) {
    if (!shares.some((giver) => moveOne(giver, shares))) return;
  }
}

function moveOne(giver: Share, shares: readonly Share[]): boolean {
  for (const [at, place] of giver.places.entries()) {
    const taker = lightest(readersOf(shares, place));
    if (taker === undefined || giver.places.length - taker.places.length < 2) continue;
    giver.places.splice(at, 1);
    taker.places.push(place);
    return true;
  }
  return false;
}

function readersOf(shares: readonly Share[], { topicId }: Place): Share[] {
  return shares.filter(({ member }) => member.topicIds.has(topicId));
}

function lightest(shares: readonly Share[]): Share | undefined {
  let found: Share | undefined;
  for (const share of shares) {
    if (found === undefined || share.places.length < found.places.length) found = share;
  }
  return found;
}

function haveSameTopics([first, ...rest]: readonly AssignedMember[]): boolean {
  return rest.every(
    ({ topicIds }) =>
      topicIds.size === first!.topicIds.size &&
      [...topicIds].every((topicId) => first!.topicIds.has(topicId)),
  );
}

function asSet(places: readonly Place[]): Map<string, Set<number>> {
  const set = new Map<string, Set<number>>();
  for (const { topicId, partition } of places) {
    if (holds(set, topicId, partition)) continue;
    const partitions = set.get(topicId) ?? new Set<number>();
    partitions.add(partition);
    set.set(topicId, partitions);
  }
  return set;
}
