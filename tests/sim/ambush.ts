// Faults that wait for their moment: an ISR that grew or shrank, a leader that was elected just now. Then they strike
// before everybody has heard of it, where a rule that is missing costs records.

import type { BrokerHost, IsrNews } from "./cluster.ts";
import type { Nemesis } from "./nemesis.ts";

type Moment = "grew" | "shrank" | "elected";

interface Trap {
  readonly moment: Moment;
  /** How long after it. */
  readonly delayMs: readonly [from: number, to: number];
  /** What happens then; answers whom it struck. */
  readonly strike: (nemesis: Nemesis, news: IsrNews) => readonly (BrokerHost | undefined)[];
  /** All but one hear of it late: those who decide know, those who lead do not. */
  readonly isLate?: boolean;
}

const atOnceMs = [0, 8] as const;
const soonMs = [0, 60] as const;
const backMs = [20, 500] as const;
const cutMs = [100, 600] as const;
const lateMs = [30, 400] as const;
/** So many moments one after the other, such as two elections. */
const strikesMax = 3;

export function ambush(nemesis: Nemesis): string | undefined {
  const { brokers, random, world } = nemesis;
  if (brokers.heardOf !== undefined || brokers.hosts.length === 1) return undefined;
  const [name, { moment, delayMs, strike, isLate }] = random.pick(Object.entries(traps));
  let left = 1 + random.integer(strikesMax);
  const seen = new Set<string>();
  brokers.heardOf = (_, news) => {
    const key = `${news.topic}-${news.partition} ${news.leader} ${news.isr}`;
    if (left === 0 || momentOf(news) !== moment || seen.has(key)) return;
    seen.add(key);
    left--;
    const [fromMs, toMs] = delayMs;
    world.after(random.between(fromMs, toMs), () => {
      const struck = strike(nemesis, news).flatMap((host) => (host ? [host.name] : []));
      world.trace("!!", `${name} (${key}): ${struck.join(" ")}`);
    });
  };
  nemesis.for(1_000, 5_000, () => {
    brokers.heardOf = undefined;
  });
  if (isLate ?? random.chance(0.3)) beLate(nemesis);
  return name;
}

function momentOf({ leader, isr, before }: IsrNews): Moment | undefined {
  if (leader >= 0 && leader !== before.leader) return "elected";
  if (isr.length > before.isr.length) return "grew";
  return isr.length < before.isr.length ? "shrank" : undefined;
}

function beLate(nemesis: Nemesis): void {
  const { brokers, random, world } = nemesis;
  const { lagMs } = world.metadata;
  const first = random.pick(brokers.hosts);
  for (const host of brokers.hosts) {
    if (host === first) continue;
    lagMs.set(host.name, random.between(lateMs[0], lateMs[1]));
    nemesis.for(1_000, 5_000, () => lagMs.delete(host.name));
  }
}

const traps: Readonly<Record<string, Trap>> = {
  "only the newcomer stays": {
    moment: "grew",
    delayMs: atOnceMs,
    isLate: true,
    strike: (nemesis, news) => leaveAlone(nemesis, news, [0, 150]),
  },

  "only the newcomer stays, at once": {
    moment: "grew",
    delayMs: [0, 1],
    strike: (nemesis, news) => leaveAlone(nemesis, news, [0, 5]),
  },

  "the leader of a newcomer dies": {
    moment: "grew",
    delayMs: soonMs,
    strike: (nemesis, { leader }) => [die(nemesis, leader)],
  },

  "the leader dies when one leaves": {
    moment: "shrank",
    delayMs: atOnceMs,
    isLate: true,
    strike: (nemesis, { leader }) => [die(nemesis, leader)],
  },

  "those who stay die": {
    moment: "shrank",
    delayMs: soonMs,
    strike: (nemesis, { isr }) => isr.map((id) => die(nemesis, id)),
  },

  "a new leader dies at once": {
    moment: "elected",
    delayMs: atOnceMs,
    strike: (nemesis, { leader }) => [die(nemesis, leader)],
  },

  "a new leader dies in a step": {
    moment: "elected",
    delayMs: [0, 1],
    strike(nemesis, { leader }) {
      const host = hostOf(nemesis, leader);
      if (host === undefined) return [];
      nemesis.brokers.crashAtStep(host, kindOf(nemesis), nemesis.random.integer(8));
      nemesis.startLater(host, 100, 1_000);
      return [host];
    },
  },

  "a new leader is cut off, then it dies": {
    moment: "elected",
    delayMs: soonMs,
    strike(nemesis, { leader }) {
      const host = hostOf(nemesis, leader);
      if (host === undefined) return [];
      const { brokers, random, world } = nemesis;
      cutOff(
        nemesis,
        host,
        brokers.hosts.filter((each) => each !== host),
      );
      world.after(random.between(20, 800), () => die(nemesis, leader));
      return [host];
    },
  },

  "the followers of a new leader die": {
    moment: "elected",
    delayMs: soonMs,
    strike: (nemesis, { leader, isr }) =>
      isr.filter((id) => id !== leader).map((id) => die(nemesis, id)),
  },

  "a new leader stands still": {
    moment: "elected",
    delayMs: soonMs,
    strike(nemesis, { leader }) {
      const host = hostOf(nemesis, leader);
      const process = host?.process;
      process?.pause();
      nemesis.for(50, 1_500, () => process?.resume());
      return [host];
    },
  },
};

/** Whoever just joined gets nothing more from its leader; then all others that were in sync die. */
function leaveAlone(
  nemesis: Nemesis,
  { leader, isr, before }: IsrNews,
  delayMs: readonly [from: number, to: number],
): readonly (BrokerHost | undefined)[] {
  const newcomer = isr.find((id) => !before.isr.includes(id)) ?? -1;
  const [host, other] = [hostOf(nemesis, leader), hostOf(nemesis, newcomer)];
  if (host === undefined || other === undefined || host === other) return [];
  cutOff(nemesis, host, [other]);
  const { random, world } = nemesis;
  world.after(random.between(delayMs[0], delayMs[1]), () => {
    for (const id of isr) if (id !== newcomer) die(nemesis, id);
  });
  return [other, host];
}

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
