// `cluster throttle`, and the throttles of moves: rates on brokers and lists of replicas on topics, as
// kafka-reassign-partitions sets them. They slow replicas that are not in sync, no others.

import type { Admin, ConfigOperation } from "../client/mod.ts";
import { checkWritten, findBrokerKey } from "../config.ts";
import { clusterFacts, liveBrokers } from "./cluster-facts.ts";
import { addedReplicas, type Move } from "./cluster-plan.ts";
import type { Call } from "./commands.ts";
import { withAdmin } from "./connection.ts";
import { usageError } from "./exit.ts";
import { type Flags, optionOf } from "./flags.ts";
import { type Column, formatBytes, printRows } from "./output.ts";

const LEADER_RATE = "leader.replication.throttled.rate";
const FOLLOWER_RATE = "follower.replication.throttled.rate";
const LEADER_REPLICAS = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS = "follower.replication.throttled.replicas";
const OFF = "off";

export async function clusterThrottle({ shell, flags }: Call): Promise<undefined> {
  const rate = rateOf(flags, "rate");
  if (flags.isSet("off") && rate !== undefined) {
    throw usageError("--rate and --off contradict each other");
  }
  const topics = flags.list("topic");
  await withAdmin(shell, async (admin) => {
    if (flags.isSet("off")) {
      await endThrottle(admin, topics);
      return shell.note("copying is not limited any more");
    }
    if (rate === undefined) return showThrottle({ shell, admin });
    const facts = await clusterFacts(admin, topics);
    const ids = liveBrokers(facts).map(({ id }) => id);
    await setLists(
      admin,
      facts.topics.map(({ name }) => [name, { leaders: "*", followers: "*" }]),
    );
    await setRates(admin, ids, rate);
    const where = topics.length === 0 ? "all topics" : topics.join(", ");
    shell.note(`each broker copies ${formatBytes(rate)}/s at most of ${where}`);
    shell.note("replicas in sync are not slowed; to end it: timberline cluster throttle --off");
  });
}

/** Bytes per second of an option, undefined without it; "off" is no limit. */
export function rateOf(flags: Flags, name: string, absent?: number): number | undefined {
  const text = flags.text(name);
  if (text === undefined) return absent;
  if (text === OFF) return undefined;
  const key = findBrokerKey(FOLLOWER_RATE);
  const checked = key && checkWritten(key, text);
  if (checked !== undefined && "text" in checked) return Number(checked.text);
  throw usageError(`${optionOf(name)}: "${text}" is not a number of bytes`, "for example 50MiB");
}

/** Slows the copies that `moves` need, and nothing else. */
export async function beginThrottle(
  admin: Admin,
  moves: readonly Move[],
  { rate, brokers }: { readonly rate: number; readonly brokers: readonly number[] },
): Promise<void> {
  const lists = new Map<string, { leaders: string[]; followers: string[] }>();
  for (const move of moves) {
    const list = lists.get(move.topic) ?? { leaders: [], followers: [] };
    lists.set(move.topic, list);
    const name = (id: number) => `${move.partition}:${id}`;
    list.leaders.push(...move.from.map(name));
    list.followers.push(...addedReplicas(move).map(name));
  }
  const texts = [...lists].map(([topic, { leaders, followers }]) => {
    return [topic, { leaders: leaders.join(), followers: followers.join() }] as const;
  });
  await setLists(admin, texts);
  await setRates(admin, brokers, rate);
}

/** Takes limits away from brokers that are up and from `topics`, or from all that have them. */
export async function endThrottle(admin: Admin, topics: readonly string[] = []): Promise<void> {
  const facts = await clusterFacts(admin);
  const names = facts.topics.map(({ name }) => name);
  for (const key of [LEADER_REPLICAS, FOLLOWER_REPLICAS]) {
    const set = await admin.care.topicConfigs(names, key);
    for (const name of set.keys()) {
      if (topics.length > 0 && !topics.includes(name)) continue;
      await admin.alterConfigs({ kind: "topic", name }, [{ name: key, op: "delete" }]);
    }
  }
  for (const { id: broker } of liveBrokers(facts)) {
    const operations = [LEADER_RATE, FOLLOWER_RATE].map((name) => ({
      name,
      op: "delete" as const,
    }));
    await admin.alterConfigs({ kind: "broker", broker }, operations);
  }
}

async function setLists(
  admin: Admin,
  lists: readonly (readonly [topic: string, { leaders: string; followers: string }])[],
): Promise<void> {
  for (const [name, { leaders, followers }] of lists) {
    const operations: ConfigOperation[] = [
      { name: LEADER_REPLICAS, op: "set", value: leaders },
      { name: FOLLOWER_REPLICAS, op: "set", value: followers },
    ];
    await admin.alterConfigs({ kind: "topic", name }, operations);
  }
}

async function setRates(admin: Admin, brokers: readonly number[], rate: number): Promise<void> {
  const operations = [LEADER_RATE, FOLLOWER_RATE].map((name) => {
    return { name, op: "set" as const, value: String(rate) };
  });
  for (const broker of brokers) await admin.alterConfigs({ kind: "broker", broker }, operations);
}

async function showThrottle({ shell, admin }: Pick<Call, "shell"> & { admin: Admin }) {
  const facts = await clusterFacts(admin);
  const rows = await Promise.all(
    liveBrokers(facts).map(async ({ id: broker }) => {
      const names = [LEADER_RATE, FOLLOWER_RATE];
      const configs = await admin.describeConfigs({ kind: "broker", broker }, { names });
      const rateSet = (name: string) => {
        const found = configs.find((config) => config.name === name);
        const isSet = found !== undefined && found.source !== "DEFAULT_CONFIG";
        return isSet && found.value !== null ? Number(found.value) : null;
      };
      return { broker, leaderRate: rateSet(LEADER_RATE), followerRate: rateSet(FOLLOWER_RATE) };
    }),
  );
  const rate = (key: string, title: string): Column => ({
    ...{ key, title, align: "right" },
    show: (value) => (typeof value === "number" ? `${formatBytes(value)}/s` : "-"),
  });
  const columns = [{ key: "broker" }, rate("leaderRate", "feeds"), rate("followerRate", "copies")];
  await printRows(shell, columns, rows);
}
