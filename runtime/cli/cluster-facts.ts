// What `timberline cluster` knows of a cluster before it shows or plans something: brokers, partitions without the
// moves that are under way, and their sizes; and which partitions need care.

import type {
  Admin,
  ClusterMember,
  ClusterMembers,
  Reassignment,
  TopicInfo,
  TopicPartition,
} from "../client/mod.ts";
import type { Placement } from "./cluster-plan.ts";

export interface ClusterFacts extends ClusterMembers {
  readonly topics: readonly TopicInfo[];
  readonly reassignments: readonly Reassignment[];
}

/** Internal topics are topics here: they have replicas, too. */
export async function clusterFacts(
  admin: Admin,
  names: readonly string[] = [],
): Promise<ClusterFacts> {
  const [members, topics, reassignments] = await Promise.all([
    admin.care.members(),
    admin.topics(names.length > 0 ? names : undefined),
    admin.care.reassignments(),
  ]);
  const sorted = topics.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { ...members, topics: sorted, reassignments };
}

export function liveBrokers({ brokers }: ClusterMembers): ClusterMember[] {
  return brokers.filter(({ isFenced }) => !isFenced);
}

export function placeOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

/** Where each partition will be when what moves has moved. */
export function placements({ topics, reassignments }: ClusterFacts): Placement[] {
  const moving = new Map(reassignments.map((move) => [placeOf(move), move]));
  return topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partition, replicas }) => {
      const removing = moving.get(placeOf({ topic, partition }))?.removing ?? [];
      return { topic, partition, replicas: replicas.filter((id) => !removing.includes(id)) };
    }),
  );
}

/** Bytes by broker and partition, of the brokers that answer. */
export type Sizes = ReadonlyMap<number, ReadonlyMap<string, number>>;

export async function sizesOn(admin: Admin, brokers: readonly number[]): Promise<Sizes> {
  const answers = brokers.map(async (broker) => {
    try {
      const dirs = await admin.logDirs(broker);
      const sizes = new Map<string, number>();
      for (const one of dirs.flatMap(({ partitions }) => partitions)) {
        sizes.set(placeOf(one), (sizes.get(placeOf(one)) ?? 0) + one.sizeBytes);
      }
      return [[broker, sizes] as const];
    } catch {
      // Sizes are for people: a broker that stops meanwhile must not end what is being done.
      return [];
    }
  });
  return new Map((await Promise.all(answers)).flat());
}

/** Of the fullest replica: the others may be on their way. */
export function sizeOf(sizes: Sizes, place: TopicPartition, replicas: readonly number[]): number {
  const name = placeOf(place);
  return Math.max(0, ...replicas.map((id) => sizes.get(id)?.get(name) ?? 0));
}

export interface ClusterHealth {
  /** Partitions, as topic-number. */
  readonly offline: readonly string[];
  readonly belowMinInSync: readonly string[];
  readonly underReplicated: readonly string[];
  readonly notPreferred: readonly string[];
}

/** `minInSync` by topic; 1 where it is not known. */
export function clusterHealth(
  { topics, reassignments }: Pick<ClusterFacts, "topics" | "reassignments">,
  minInSync: ReadonlyMap<string, string>,
): ClusterHealth {
  const moving = new Map(reassignments.map((move) => [placeOf(move), move]));
  const health = {
    offline: [] as string[],
    belowMinInSync: [] as string[],
    underReplicated: [] as string[],
    notPreferred: [] as string[],
  };
  for (const { name: topic, partitions } of topics) {
    const wanted = Number(minInSync.get(topic) ?? 1);
    for (const { partition, leader, replicas, isr } of partitions) {
      const place = placeOf({ topic, partition });
      const move = moving.get(place);
      const before = replicas.filter((id) => move?.adding.includes(id) !== true);
      const preferred = replicas.find((id) => move?.removing.includes(id) !== true);
      if (leader < 0) health.offline.push(place);
      else if (leader !== preferred) health.notPreferred.push(place);
      if (before.some((id) => !isr.includes(id))) health.underReplicated.push(place);
      // More than there are replicas can never be in sync.
      if (isr.length < Math.min(wanted, before.length)) health.belowMinInSync.push(place);
    }
  }
  return health;
}
