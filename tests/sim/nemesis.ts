// Faults, drawn from the seed: what happens when, to whom, for how long. Everything it breaks it mends.

import type { BrokerHost, Brokers } from "./cluster.ts";
import { serviceHost } from "./metadata-service.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { World } from "./world.ts";

const faultsMsMax = 7_000;
const betweenMs = [100, 1_500] as const;

export interface NemesisOptions {
  /** Unsynced bytes may be lost: only where an acknowledgement means synced. */
  readonly mayLosePower: boolean;
}

/** Begins a fault; returns what to say, undefined if it cannot happen now. */
type Fault = (nemesis: Nemesis) => string | undefined;

export class Nemesis {
  readonly world: World;
  readonly brokers: Brokers;
  readonly random: SeededRandom;
  readonly options: NemesisOptions;
  readonly done: string[] = [];
  isOver = false;
  readonly #mend = new Set<() => void>();

  constructor(world: World, brokers: Brokers, options: NemesisOptions) {
    this.world = world;
    this.brokers = brokers;
    this.options = options;
    this.random = world.random.fork("nemesis");
  }

  begin(): void {
    const endMs = this.world.scheduler.nowMs + this.random.between(2_000, faultsMsMax);
    // Seeds differ in what they are about: a few kinds each, rather than a bit of everything.
    const kinds = Object.entries(faults).filter(() => this.random.chance(0.4));
    const chosen = kinds.length > 0 ? kinds : Object.entries(faults);
    const next = () => {
      if (this.world.scheduler.nowMs >= endMs) {
        this.isOver = true;
        return;
      }
      const [name, fault] = this.random.pick(chosen);
      const what = fault(this);
      if (what !== undefined) {
        this.done.push(name);
        this.world.trace("!!", `${name}: ${what}`);
      }
      this.world.after(this.random.between(...betweenMs), next);
    };
    this.world.after(this.random.between(200, 1_000), next);
  }

  healAll(): void {
    this.world.trace("!!", "all is mended");
    for (const mend of [...this.#mend]) mend();
    this.#mend.clear();
    this.world.links.healAll();
    for (const host of this.brokers.hosts) {
      host.process?.resume();
      this.#keepAlive(host);
    }
  }

  /** `mend` runs after a while, and at the end at the latest. */
  for(fromMs: number, toMs: number, mend: () => void): void {
    const once = () => {
      if (!this.#mend.delete(once)) return;
      mend();
    };
    this.#mend.add(once);
    this.world.after(this.random.between(fromMs, toMs), once);
  }

  /** A broker that runs, rather one that leads something. */
  victim(): BrokerHost | undefined {
    const { running } = this.brokers;
    return running.length === 0 ? undefined : this.random.pick(running);
  }

  some(): BrokerHost[] {
    const { running } = this.brokers;
    if (this.random.chance(0.15)) return running;
    const [one] = running.length > 0 ? [this.random.pick(running)] : [];
    return one ? [one] : [];
  }

  cut(pairs: readonly (readonly [string, string])[], fromMs: number, toMs: number): void {
    const { links } = this.world;
    for (const [from, to] of pairs) links.cut(from, to);
    this.for(fromMs, toMs, () => {
      for (const [from, to] of pairs) links.heal(from, to);
    });
  }

  startLater(host: BrokerHost, fromMs: number, toMs: number): void {
    this.for(fromMs, toMs, () => this.brokers.start(host));
  }

  /** Whatever ends a broker after the faults, such as a crash that was laid in wait: it is started again. */
  #keepAlive(host: BrokerHost): void {
    const isFailed = host.state === "running" && (host.server?.readiness().length ?? 0) > 0;
    if (isFailed) this.brokers.crash(host, "kill");
    if (host.state === "off") this.brokers.start(host);
    this.world.after(500, () => this.#keepAlive(host));
  }
}

function namesOf(hosts: readonly BrokerHost[]): string {
  return hosts.map(({ name }) => name).join(" ");
}

const everyday = [50, 2_500] as const;

const faults: Readonly<Record<string, Fault>> = {
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
};
