// What must hold of a group's history, whatever its members did: every record was read, reading went on where the
// group had committed, no partition had two owners in one generation, acknowledged commits were kept, and members
// that were put out could no longer commit. Pure; each rule returns a sentence per fault.

import type { Commit, GroupHistory, Life, MemberEvent, Owner } from "./history.ts";

export interface Figures {
  readonly lives: number;
  readonly crashes: number;
  readonly leaves: number;
  /** Members whose client gave up by itself, and that were started again. */
  readonly gaveUp: number;
  /** Different generations, or epochs of members, in the coordinator's log. */
  readonly generations: number;
  readonly commits: number;
  /** How often reading began or went on elsewhere: each time at a committed offset. */
  readonly resumed: number;
  readonly recordsRead: number;
  /** Reads of records that were read before. */
  readonly readAgain: number;
  /** How often a member of @platformatic/kafka went on before what it had rightly been told. */
  readonly wentBack: number;
  /** Records that members of kcat threw away when they left: one each at most. */
  readonly leftUnread: number;
  /** Partitions that a member took for its own while they were another's already. */
  readonly zombies: number;
}

export interface Verdict {
  readonly faults: readonly string[];
  readonly figures: Figures;
}

type Read = MemberEvent & { kind: "read" };
type Range = readonly [from: number, to: number];

/** A time in which a member believed that it had a partition. */
interface Hold {
  readonly life: Life;
  readonly partition: number;
  readonly generation: number | null;
  readonly fromMs: number;
  readonly toMs: number;
}

/** `ends`: the records of each partition. */
export function checkGroup(history: GroupHistory, ends: readonly number[]): Verdict {
  const holds = history.lives.flatMap(holdsOf);
  const zombies = overlaps(holds);
  const commits = commitsByPartition(history.log.commits, ends.length);
  const resumptions = history.lives.flatMap((life) => resumptionsOf(life));
  const missing = unread(history, ends);
  const unexcused = history.leavesOneUnread ? withoutLeft(missing, history.lives) : missing;
  const stray = strayed(resumptions, commits);
  const back = history.goesBack ? stray.filter(({ read, committed }) => read.from < committed) : [];
  const faults = [
    ...unexcused.map(({ partition, from, to }) => {
      return `nobody read ${partition}:${from} up to ${to}, not included`;
    }),
    ...stray
      .filter((each) => !back.includes(each))
      .map(({ life: { owner }, read: { partition, from }, committed }) => {
        return `${owner} went on at ${partition}:${from}, but ${committed} was committed`;
      }),
    ...history.lives.flatMap((life) => mistold(life, commits)),
    ...sharedGenerations(history.lives),
    ...sharedInLog(history, ends.length),
    ...history.sights.flatMap(({ members }) => shared(members, "a description")),
    ...lostCommits(history, commits),
    ...unfinished(history, ends),
    ...zombieCommits(zombies),
  ];
  const read = history.lives.flatMap((life) => readsOf(life));
  const recordsRead = read.reduce((sum, { from, to }) => sum + to - from, 0);
  const total = ends.reduce((sum, end) => sum + end, 0);
  const ended = (end: Life["end"]): number => history.lives.filter((l) => l.end === end).length;
  return {
    faults: faults.map((fault) => `${history.group}: ${fault}`),
    figures: {
      lives: history.lives.length,
      crashes: ended("crash"),
      leaves: ended("leave"),
      gaveUp: ended("gave up") + ended("late"),
      generations: new Set(history.log.ownerships.map(({ generation }) => generation)).size,
      commits: history.log.commits.length,
      resumed: resumptions.length,
      recordsRead,
      wentBack: back.length,
      leftUnread: missing.length - unexcused.length,
      readAgain: Math.max(0, recordsRead - total),
      zombies: zombies.length,
    },
  };
}

// ---- every record ----

interface Missing {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

function unread(history: GroupHistory, ends: readonly number[]): Missing[] {
  const ranges = ends.map((): Range[] => []);
  for (const life of history.lives) {
    for (const { partition, from, to } of readsOf(life)) ranges[partition]?.push([from, to]);
  }
  return ranges.flatMap((read, partition) =>
    gaps(read, ends[partition]!).map(([from, to]) => ({ partition, from, to })),
  );
}

/** Takes out single records that stand right behind what a member read last before it left: one for each. */
function withoutLeft(missing: readonly Missing[], lives: readonly Life[]): Missing[] {
  const leavers = new Set(lives.filter(({ end }) => end === "leave"));
  return missing.filter(({ partition, from, to }) => {
    if (to !== from + 1) return true;
    for (const life of leavers) {
      const last = readsOf(life).findLast((read) => read.partition === partition);
      const heldLast = life.events.findLast((event) => event.kind === "holds")?.partitions ?? [];
      const isNext = last === undefined ? heldLast.includes(partition) : last.to === from;
      if (isNext) return !leavers.delete(life);
    }
    return true;
  });
}

function gaps(read: readonly Range[], end: number): Range[] {
  const found: Range[] = [];
  let next = 0;
  for (const [from, to] of [...read].sort((a, b) => a[0] - b[0])) {
    if (from > next) found.push([next, from]);
    next = Math.max(next, to);
  }
  if (next < end) found.push([next, end]);
  return found;
}

// ---- resuming ----

interface Resumption {
  readonly life: Life;
  readonly read: Read;
  /** When the member got the partition, or what it held with it changed. */
  readonly sinceMs: number;
}

/** Where a member did not just read the next record. */
function resumptionsOf(life: Life): Resumption[] {
  const found: Resumption[] = [];
  const next = new Map<number, number>();
  const since = new Map<number, number>();
  for (const event of life.events) {
    if (event.kind === "holds") {
      for (const partition of event.partitions) since.set(partition, event.atMs);
    }
    if (event.kind !== "read") continue;
    const { partition, from, to } = event;
    if (next.get(partition) !== from) {
      found.push({ life, read: event, sinceMs: since.get(partition) ?? life.startedMs });
    }
    next.set(partition, to);
  }
  return found;
}

interface Stray {
  readonly life: Life;
  readonly read: Read;
  readonly committed: number;
}

/** Reading goes on at what was committed when the member got the partition, or since. */
function strayed(
  resumptions: readonly Resumption[],
  commits: readonly (readonly Commit[])[],
): Stray[] {
  return resumptions.flatMap(({ life, read, sinceMs }) => {
    const { partition, from, atMs } = read;
    const valid = validOffsets(commits[partition] ?? [], sinceMs, atMs);
    return valid.includes(from) ? [] : [{ life, read, committed: valid[0]! }];
  });
}

/** What was committed at a time, and what was committed from then on until another. */
function validOffsets(commits: readonly Commit[], sinceMs: number, untilMs: number): number[] {
  const before = commits.findLast((commit) => commit.atMs <= sinceMs)?.offset ?? 0;
  const later = commits.filter((commit) => commit.atMs > sinceMs && commit.atMs <= untilMs);
  return [before, ...later.map(({ offset }) => offset)];
}

/** Answers to OffsetFetch that are not what was committed. */
function mistold(life: Life, commits: readonly (readonly Commit[])[]): string[] {
  const faults: string[] = [];
  const since = new Map<number, number>();
  for (const event of life.events) {
    if (event.kind === "holds") {
      for (const partition of event.partitions) since.set(partition, event.atMs);
    }
    if (event.kind !== "told") continue;
    for (const [partition, offset] of event.offsets) {
      const sinceMs = since.get(partition) ?? life.startedMs;
      const valid = validOffsets(commits[partition] ?? [], sinceMs, event.atMs);
      if (valid.includes(Math.max(0, offset))) continue;
      faults.push(`${life.owner} was told ${partition}:${offset}, but ${valid[0]} was committed`);
    }
  }
  return faults;
}

// ---- one owner ----

/** Of what members said themselves. */
function sharedGenerations(lives: readonly Life[]): string[] {
  const owners = new Map<string, string>();
  const faults: string[] = [];
  for (const { owner, events } of lives) {
    for (const event of events) {
      if (event.kind !== "holds" || event.generation === null) continue;
      for (const partition of event.partitions) {
        const place = `partition ${partition} in generation ${event.generation}`;
        const other = owners.get(place) ?? owner;
        if (other !== owner) faults.push(`${other} and ${owner} both had ${place}`);
        owners.set(place, owner);
      }
    }
  }
  return faults;
}

function sharedInLog({ log }: GroupHistory, partitions: number): string[] {
  let last = 0;
  return log.ownerships.flatMap(({ generation, isWhole, members }) => {
    const where = `generation ${generation} of the coordinator's log`;
    const faults = shared(members, where);
    if (!isWhole) return faults;
    if (generation < last) faults.push(`${where} follows ${last}`);
    last = generation;
    const given = members.reduce((sum, member) => sum + member.partitions.length, 0);
    if (given < partitions) faults.push(`${where} gives out ${given} partitions of ${partitions}`);
    return faults;
  });
}

function shared(members: readonly Owner[], where: string): string[] {
  const owners = new Map<number, string>();
  const faults: string[] = [];
  for (const { name, partitions } of members) {
    for (const partition of partitions) {
      const other = owners.get(partition) ?? name;
      if (other !== name) faults.push(`${where} gives ${partition} to ${other} and ${name}`);
      owners.set(partition, name);
    }
  }
  return faults;
}

// ---- commits ----

/** An acknowledged commit is in the log, made between its request and its answer. */
function lostCommits({ lives }: GroupHistory, commits: readonly (readonly Commit[])[]): string[] {
  const faults: string[] = [];
  for (const { owner, events } of lives) {
    for (const event of events) {
      if (event.kind !== "committed") continue;
      for (const [partition, offset] of event.offsets) {
        const isThere = commits[partition]?.some(
          (commit) =>
            commit.offset >= offset && commit.atMs >= event.sentMs && commit.atMs <= event.atMs,
        );
        if (!isThere)
          faults.push(`the commit ${partition}:${offset} of ${owner} is not in the log`);
      }
    }
  }
  return faults;
}

/** In the end all is committed, and what is answered is what the log says last. */
function unfinished({ log, committed }: GroupHistory, ends: readonly number[]): string[] {
  return ends.flatMap((end, partition) => {
    const faults: string[] = [];
    const answered = committed[partition] ?? -1;
    const logged = log.commits.findLast((commit) => commit.partition === partition)?.offset ?? -1;
    if (answered !== logged) faults.push(`${partition} is at ${answered}, the log says ${logged}`);
    if (end > 0 && answered !== end) faults.push(`${partition} is at ${answered} of ${end}`);
    return faults;
  });
}

/** Who was put out of the group without knowing may read, but not commit. */
function zombieCommits(pairs: readonly { stale: Hold; fresh: Hold }[]): string[] {
  return pairs.flatMap(({ stale, fresh }) => {
    const { partition, life } = stale;
    const sent = life.events.filter(
      (event) =>
        event.kind === "committed" &&
        event.sentMs > fresh.fromMs &&
        event.sentMs < stale.toMs &&
        event.offsets.some(([each]) => each === partition),
    );
    return sent.map(() => `${life.owner} committed ${partition}, ${fresh.life.owner} had it`);
  });
}

// ---- a history's parts ----

function readsOf({ events }: Life): Read[] {
  return events.filter((event) => event.kind === "read");
}

function commitsByPartition(commits: readonly Commit[], partitions: number): Commit[][] {
  const found = Array.from({ length: partitions }, (): Commit[] => []);
  for (const commit of commits) found[commit.partition]?.push(commit);
  return found;
}

function holdsOf(life: Life): Hold[] {
  const found: Hold[] = [];
  const changes = life.events.filter((event) => event.kind === "holds");
  for (const [i, { partitions, generation, atMs: fromMs }] of changes.entries()) {
    const toMs = changes[i + 1]?.atMs ?? life.endedMs;
    for (const partition of partitions) found.push({ life, partition, generation, fromMs, toMs });
  }
  return found;
}

/** Pairs of owners of a partition at one time: the one of the lower generation, or the earlier one, is stale. */
function overlaps(holds: readonly Hold[]): { stale: Hold; fresh: Hold }[] {
  const found: { stale: Hold; fresh: Hold }[] = [];
  const sorted = [...holds].sort((a, b) => a.partition - b.partition || a.fromMs - b.fromMs);
  for (const [i, hold] of sorted.entries()) {
    for (const other of sorted.slice(i + 1)) {
      if (other.partition !== hold.partition || other.fromMs >= hold.toMs) break;
      if (other.life.owner === hold.life.owner) continue;
      const isNewer = (other.generation ?? 0) >= (hold.generation ?? 0);
      found.push(isNewer ? { stale: hold, fresh: other } : { stale: other, fresh: hold });
    }
  }
  return found;
}
