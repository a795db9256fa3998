// The faults that a simulation knows, each with how it ends. `nemesis.ts` draws from them.

import type { BrokerHost } from "./cluster.ts";
import { addBroker, decommission } from "./growth.ts";
import { serviceHost } from "./metadata-service.ts";
import type { Nemesis } from "./nemesis.ts";
import { isSettled } from "./state-checks.ts";
import { partitions, topic } from "./workload.ts";

/** Begins a fault; returns what to say, undefined if it cannot happen now. */
export type Fault = (nemesis: Nemesis) => string | undefined;

function namesOf(hosts: readonly BrokerHost[]): string {
  return hosts.map(({ name }) => name).join(" ");
}

/** All replicas of all partitions, in everybody's view. */
function isInSync({ brokers }: Nemesis): boolean {
  return brokers.hosts.length > 1 && isSettled(brokers);
}

const everyday = [50, 2_500] as const;

/** By the name that a trace shows. */
export const faults: Readonly<Record<string, Fault>> = {
  kill(nemesis) {
    const hosts = nemesis.some();
    for (const host of hosts) {
      nemesis.brokers.crash(host, "kill");
      nemesis.startLater(host, ...everyday);
    }
    return hosts.length > 0 ? namesOf(hosts) : undefined;
  },

  "power loss"(nemesis) {
    if (!nemesis.options.mayLosePower) return undefined;
    const hosts = nemesis.some();
    for (const host of hosts) {
      nemesis.brokers.crash(host, "power");
      nemesis.startLater(host, ...everyday);
    }
    return hosts.length > 0 ? namesOf(hosts) : undefined;
  },

  "crash in a step"(nemesis) {
    const host = nemesis.victim();
    if (host === undefined) return undefined;
    const kind = nemesis.options.mayLosePower && nemesis.random.chance(0.6) ? "power" : "kill";
    nemesis.brokers.crashAtStep(host, kind, nemesis.random.integer(60));
    nemesis.startLater(host, 500, 3_000);
    return `${host.name} (${kind})`;
  },

  stop(nemesis) {
    const host = nemesis.victim();
    if (host === undefined) return undefined;
    nemesis.brokers.stop(host);
    nemesis.startLater(host, 500, 3_000);
    return host.name;
  },

  pause(nemesis) {
    const hosts = nemesis.some();
    for (const host of hosts) {
      const { process } = host;
      process?.pause();
      nemesis.for(50, 3_000, () => process?.resume());
    }
    return hosts.length > 0 ? namesOf(hosts) : undefined;
  },

  isolate(nemesis) {
    const host = nemesis.random.pick(nemesis.brokers.hosts);
    const others = nemesis.brokers.hosts.filter((each) => each !== host);
    const withService = nemesis.random.chance(0.5) ? [serviceHost] : [];
    const names = [...others.map(({ name }) => name), ...withService];
    const pairs = names.flatMap((name) => [[host.name, name] as const, [name, host.name] as const]);
    nemesis.cut(pairs, 100, 4_000);
    return `${host.name} from ${names.join(" ")}`;
  },

  "one way"(nemesis) {
    const { hosts } = nemesis.brokers;
    const from = nemesis.random.pick(hosts);
    const to = nemesis.random.pick(hosts);
    if (from === to) return undefined;
    nemesis.cut([[from.name, to.name]], 100, 4_000);
    return `${from.name} to ${to.name}`;
  },

  "cut from the service"(nemesis) {
    const { hosts } = nemesis.brokers;
    const cut = nemesis.random.chance(0.3) ? hosts : [nemesis.random.pick(hosts)];
    const pairs = cut.flatMap(({ name }) => [
      [name, serviceHost] as const,
      [serviceHost, name] as const,
    ]);
    const isOneWay = nemesis.random.chance(0.3);
    nemesis.cut(isOneWay ? pairs.filter(([from]) => from === serviceHost) : pairs, 100, 4_000);
    return namesOf(cut);
  },

  "slow links"(nemesis) {
    const { links } = nemesis.world;
    const before = links.settings;
    links.settings = { latencyMs: [0.1, 20], slowChance: 0.1, slowMsMax: 200 };
    nemesis.for(200, 2_000, () => {
      links.settings = before;
    });
    return "all";
  },

  "late metadata"(nemesis) {
    const host = nemesis.random.pick(nemesis.brokers.hosts);
    const { lagMs } = nemesis.world.metadata;
    lagMs.set(host.name, nemesis.random.between(20, 800));
    nemesis.for(300, 4_000, () => lagMs.delete(host.name));
    return host.name;
  },

  "slow link"(nemesis) {
    const { hosts } = nemesis.brokers;
    const [a, b] = [nemesis.random.pick(hosts), nemesis.random.pick(hosts)];
    nemesis.world.links.slow(a.name, b.name, nemesis.random.between(20, 700));
    nemesis.for(300, 4_000, () => nemesis.world.links.slow(a.name, b.name, 0));
    return `${a.name} to ${b.name}`;
  },

  "slow disk"(nemesis) {
    const host = nemesis.random.pick(nemesis.brokers.hosts);
    const before = host.faults.syncMs;
    host.faults.syncMs = [5, 800];
    nemesis.for(200, 2_000, () => {
      host.faults.syncMs = before;
    });
    return host.name;
  },

  "full disk"(nemesis) {
    const host = nemesis.random.pick(nemesis.brokers.hosts);
    host.faults.isFull = true;
    nemesis.for(100, 2_000, () => {
      host.faults.isFull = false;
    });
    return host.name;
  },

  "broken disk"(nemesis) {
    const host = nemesis.victim();
    if (host === undefined) return undefined;
    host.faults.isBroken = true;
    nemesis.for(100, 1_500, () => {
      host.faults.isBroken = false;
      const kind = nemesis.options.mayLosePower ? "power" : "kill";
      nemesis.brokers.crash(host, kind);
      nemesis.startLater(host, 50, 1_000);
    });
    return host.name;
  },

  "clock jump"(nemesis) {
    const host = nemesis.random.pick(nemesis.brokers.hosts);
    host.wallOffsetMs += nemesis.random.between(-7_200_000, 7_200_000);
    return `${host.name} is off by ${Math.round(host.wallOffsetMs / 1_000)} s`;
  },

  wipe(nemesis) {
    const host = nemesis.victim();
    // The others must have all of it, and nothing else may be wrong with them.
    if (host === undefined || nemesis.isBusy || !isInSync(nemesis)) return undefined;
    nemesis.brokers.crash(host, "kill");
    host.wipe();
    nemesis.startLater(host, ...everyday);
    return host.name;
  },

  "preferred leaders"(nemesis) {
    const host = nemesis.victim();
    if (host === undefined) return undefined;
    const question = { kind: "preferred", partitions: null } as const;
    nemesis.brokers.ask(host, (member) => member.electLeaders(question));
    return `asked of ${host.name}`;
  },

  reassignment(nemesis) {
    const host = nemesis.victim();
    const { hosts } = nemesis.brokers;
    if (host === undefined || hosts.length < 3) return undefined;
    const replicas = hosts.filter(({ isLeaving }) => !isLeaving).map(({ id }) => id);
    for (let i = replicas.length - 1; i > 0; i--) {
      const other = nemesis.random.integer(i + 1);
      [replicas[i], replicas[other]] = [replicas[other]!, replicas[i]!];
    }
    replicas.length = 3 - nemesis.random.integer(2);
    const partition = nemesis.random.integer(partitions);
    nemesis.brokers.ask(host, (member) => member.reassign([{ topic, partition, replicas }]));
    return `${topic}-${partition} to ${replicas}`;
  },

  "service goes back"(nemesis) {
    // A broker alone has no service.
    if (nemesis.brokers.hosts.length === 1) return undefined;
    if (nemesis.keptEntries !== undefined || nemesis.random.chance(0.7)) return undefined;
    const { length } = nemesis.world.metadata;
    nemesis.keptEntries = nemesis.random.chance(0.4) ? 0 : length - nemesis.random.integer(4);
    return "when all is mended";
  },
};

/** Where there is a spare machine. */
export const growth: Readonly<Record<string, Fault>> = {
  "add a broker": (nemesis) => addBroker(nemesis)?.name,
  decommission: (nemesis) => decommission(nemesis)?.name,
};
