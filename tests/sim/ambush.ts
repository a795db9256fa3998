// Faults that wait for their moment: an ISR that grew or shrank, a leader that was elected just now. Then they strike
// before everybody has heard of it, where a rule that is missing costs records.

import type { BrokerHost, IsrNews } from "./cluster.ts";
import type { Nemesis } from "./nemesis.ts";

type Moment = "grew" | "shrank" | "elected";

/** What happens then, to whom. */
type Strike = (nemesis: Nemesis, news: IsrNews) => readonly (BrokerHost | undefined)[];

const soonMs = [0, 30] as const;
const backMs = [20, 500] as const;
const cutMs = [100, 600] as const;

/** So many moments one after the other, such as two elections. */
const strikesMax = 3;

export function ambush(nemesis: Nemesis): string | undefined {
  const { brokers, random, world } = nemesis;
  if (brokers.heardOf !== undefined || brokers.hosts.length === 1) return undefined;
  const moment = random.pick<Moment>(["grew", "grew", "shrank", "elected"]);
  const [name, strike] = random.pick(Object.entries(strikes));
  let left = 1 + random.integer(strikesMax);
  const seen = new Set<string>();
  brokers.heardOf = (_, news) => {
    const key = `${news.topic}-${news.partition} ${news.leader} ${news.isr}`;
    if (left === 0 || momentOf(news) !== moment || seen.has(key)) return;
    seen.add(key);
    left--;
    const [fromMs, toMs] = soonMs;
    world.after(random.between(fromMs, toMs), () => {
      const struck = strike(nemesis, news).flatMap((host) => (host ? [host.name] : []));
      world.trace("!!", `${name} (${key}): ${struck.join(" ")}`);
    });
  };
  nemesis.for(1_000, 5_000, () => {
    brokers.heardOf = undefined;
  });
  // Who leads does not know yet what the others know.
  if (random.chance(0.5)) lag(nemesis);
  return `${name}, when an ISR ${moment}`;
}

function momentOf({ leader, isr, before }: IsrNews): Moment | undefined {
  if (leader >= 0 && leader !== before.leader) return "elected";
  if (isr.length > before.isr.length) return "grew";
  return isr.length < before.isr.length ? "shrank" : undefined;
}

function lag(nemesis: Nemesis): void {
  const { brokers, random, world } = nemesis;
  const { lagMs } = world.metadata;
  const { name } = random.pick(brokers.hosts);
  lagMs.set(name, random.between(50, 500));
  nemesis.for(1_000, 4_000, () => lagMs.delete(name));
}

const strikes: Readonly<Record<string, Strike>> = {
  "the leader dies": (nemesis, { leader }) => [die(nemesis, leader)],

  "leader and followers die": (nemesis, { isr }) => isr.map((id) => die(nemesis, id)),

  "the followers die": (nemesis, { leader, isr }) =>
    isr.filter((id) => id !== leader).map((id) => die(nemesis, id)),

  "the leader dies in a step"(nemesis, { leader }) {
    const host = hostOf(nemesis, leader);
    if (host === undefined) return [];
    const { brokers, random } = nemesis;
    brokers.crashAtStep(host, kindOf(nemesis), random.integer(8));
    nemesis.startLater(host, 100, 1_000);
    return [host];
  },

  "the newcomer is cut off, then the leader dies"(nemesis, { leader, isr, before }) {
    const newcomer = isr.find((id) => !before.isr.includes(id)) ?? isr.at(-1) ?? -1;
    const [host, other] = [hostOf(nemesis, leader), hostOf(nemesis, newcomer)];
    if (host === undefined || other === undefined || host === other) return [die(nemesis, leader)];
    cutOff(nemesis, host, [other]);
    nemesis.world.after(nemesis.random.between(20, 200), () => die(nemesis, leader));
    return [other, host];
  },

  "the leader is cut off, then it dies"(nemesis, { leader }) {
    const host = hostOf(nemesis, leader);
    if (host === undefined) return [];
    const others = nemesis.brokers.hosts.filter((each) => each !== host);
    cutOff(nemesis, host, others);
    nemesis.world.after(nemesis.random.between(20, 800), () => die(nemesis, leader));
    return [host];
  },

  "the leader stands still"(nemesis, { leader }) {
    const host = hostOf(nemesis, leader);
    const process = host?.process;
    process?.pause();
    nemesis.for(50, 1_500, () => process?.resume());
    return [host];
  },
};

function hostOf({ brokers }: Nemesis, id: number): BrokerHost | undefined {
  return brokers.running.find((host) => host.id === id);
}

function kindOf({ options, random }: Nemesis): "kill" | "power" {
  return options.mayLosePower && random.chance(0.5) ? "power" : "kill";
}

function die(nemesis: Nemesis, id: number): BrokerHost | undefined {
  const host = hostOf(nemesis, id);
  if (host === undefined) return undefined;
  nemesis.brokers.crash(host, kindOf(nemesis));
  nemesis.startLater(host, ...backMs);
  return host;
}

function cutOff(nemesis: Nemesis, host: BrokerHost, others: readonly BrokerHost[]): void {
  const pairs = others.flatMap(({ name }) => [
    [host.name, name] as const,
    [name, host.name] as const,
  ]);
  nemesis.cut(pairs, ...cutMs);
}
