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
  /** It needs so many in the ISR. */
  readonly isrMin?: number;
  /** It needs a leader that hears late of what was decided. */
  readonly isLate?: boolean;
}

const atOnceMs = [0, 8] as const;
const soonMs = [0, 60] as const;
const backMs = [20, 500] as const;
const cutMs = [100, 600] as const;
const lateMs = [30, 400] as const;
/** Between two strikes: some of it heals. */
const restMs = [200, 1_500] as const;
const trapsMax = 2;

/** A seed has few kinds of traps, and each snaps again and again. */
export function layTraps(nemesis: Nemesis): void {
  const { brokers, done, random, world } = nemesis;
  const { scheduler } = world;
  const all = Object.entries(traps);
  const laid = Array.from({ length: trapsMax }, () => random.pick(all));
  const isLate = laid.some(([, trap]) => trap.isLate) || random.chance(0.2);
  let restUntilMs = 0;
  brokers.heardOf = (_, news) => {
    if (nemesis.isOver || scheduler.nowMs < restUntilMs || news.topic.startsWith("__")) return;
    const [name, trap] = laid.find((each) => snaps(each[1], news)) ?? [];
    if (name === undefined || trap === undefined) return;
    restUntilMs = scheduler.nowMs + random.between(restMs[0], restMs[1]);
    done.push(name);
    world.after(random.between(trap.delayMs[0], trap.delayMs[1]), () => {
      if (nemesis.isOver) return;
      const struck = trap.strike(nemesis, news).flatMap((host) => (host ? [host.name] : []));
      const where = `${news.topic}-${news.partition} ${news.leader} ${news.isr}`;
      world.trace("!!", `${name} (${where}): ${struck.join(" ")}`);
      if (isLate) beLate(nemesis);
    });
  };
  if (isLate) beLate(nemesis);
}

function snaps({ moment, isrMin = 1 }: Trap, news: IsrNews): boolean {
  return momentOf(news) === moment && news.isr.length >= isrMin;
}

function momentOf({ leader, isr, before }: IsrNews): Moment | undefined {
  if (leader >= 0 && leader !== before.leader) return "elected";
  if (isr.length > before.isr.length) return "grew";
  return isr.length < before.isr.length ? "shrank" : undefined;
}

/** All but one hear of changes late: those who decide know, those who lead do not. */
function beLate({ brokers, random, world }: Nemesis): void {
  const { lagMs } = world.metadata;
  lagMs.clear();
  const first = random.pick(brokers.hosts);
  for (const host of brokers.hosts) {
    if (host !== first) lagMs.set(host.name, random.between(lateMs[0], lateMs[1]));
  }
}

const traps: Readonly<Record<string, Trap>> = {
  "only the newcomer stays": {
    moment: "grew",
    delayMs: atOnceMs,
    // Otherwise nothing was acknowledged before.
    isrMin: 3,
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
