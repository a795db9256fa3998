// What a seed is about: how the brokers are set, which clients work. Seeds differ, so that each stays short.

import {
  balanceConfigs,
  balancePartitions,
  balanceTopic,
  readBalances,
  saveBalances,
} from "./balances.ts";
import { type GroupProtocol, share } from "./group-members.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { readTransfers, transact, transferPartitions, transferTopic } from "./transactions.ts";
import { partitions, topic, type Workload } from "./workload.ts";

export interface Scenario {
  /** Then no machine may lose its power: an acknowledgement does not mean synced. */
  readonly isFlushedByOs: boolean;
  readonly lagMsMax: string;
  readonly hasTransactions: boolean;
  readonly hasCompaction: boolean;
  /** One broker more than work at first: it may join. */
  readonly hasSpare: boolean;
  /** Of the members of the group, or of two groups. */
  readonly protocols: readonly GroupProtocol[];
}

export function drawScenario(random: SeededRandom): Scenario {
  return {
    isFlushedByOs: random.chance(0.3),
    lagMsMax: random.pick(["400", "1500", "4000"]),
    ...random.pick([
      { hasTransactions: true, hasCompaction: false },
      { hasTransactions: false, hasCompaction: true },
      { hasTransactions: false, hasCompaction: false },
      { hasTransactions: false, hasCompaction: false },
      { hasTransactions: false, hasCompaction: false },
    ]),
    hasSpare: random.chance(0.2),
    protocols: random.pick([
      ["classic", "classic"],
      ["consumer", "consumer"],
      ["classic", "consumer"],
    ]),
  };
}

/** Name, number of partitions and configs. */
export function topicsOf({ hasTransactions, hasCompaction }: Scenario) {
  const topics: (readonly [string, number, Readonly<Record<string, string>>])[] = [
    [topic, partitions, {}],
  ];
  if (hasTransactions) topics.push([transferTopic, transferPartitions, {}]);
  if (hasCompaction) topics.push([balanceTopic, balancePartitions, balanceConfigs]);
  return topics;
}

/** Groups that read, by their protocols. */
export const groupOf = { classic: "g", consumer: "h" } as const;

export function work(workload: Workload, scenario: Scenario): void {
  const { sends, polls } = workload.history;
  const to = { topic, partitions, sends };
  workload.produce("p1", { ...to, acks: -1, isIdempotent: true, everyMs: 40 });
  if (scenario.hasTransactions) {
    transact(workload, "t1");
    readTransfers(workload, "r2");
  } else if (scenario.hasCompaction) {
    saveBalances(workload, "b1");
    readBalances(workload, "r3");
  } else {
    workload.produce("p2", { ...to, acks: -1, isIdempotent: true, everyMs: 80 });
    workload.produce("p3", { ...to, acks: 1, isIdempotent: false, everyMs: 160 });
  }
  workload.read("r1", { topic, partitions, isolation: "read_uncommitted", polls });
  for (const [index, protocol] of scenario.protocols.entries()) {
    share(workload, { group: groupOf[protocol], name: `c${index + 1}`, protocol });
  }
}
