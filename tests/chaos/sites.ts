// Where the programs of a run live: all on loopback, or each in a network namespace of its own on one bridge, so that
// any direction between any two can be cut without a reset: packets go to an address of nobody. Linux and root only.

import { execFileSync } from "node:child_process";
import { sayMissing } from "../support/missing-tool.ts";

export interface Site {
  readonly name: string;
  /** Address that the others reach. */
  readonly host: string;
  /** The command line that runs `command` there, as the same process. */
  enter(command: readonly string[]): string[];
}

export interface Sites {
  readonly canCut: boolean;
  site(name: string): Site;
  /** Packets from one to the other get lost, and nobody is told. "clients" is everybody outside. */
  drop(from: string, to: string): void;
  /** All links are good again. */
  heal(): void;
}

export const clients = "clients";
const nobodysAddress = "02:00:00:00:00:01";
const sitesMax = 200;

export function loopbackSites(): Sites {
  const fail = () => {
    throw new Error("links of one host cannot be cut");
  };
  return {
    canCut: false,
    site: (name) => ({ name, host: "127.0.0.1", enter: (command) => [...command] }),
    drop: fail,
    heal() {},
  };
}

/** Undefined, and said so, where they are not allowed. They are gone when the process ends. */
export function namespaceSites(): Sites | undefined {
  try {
    return new NamespaceSites();
  } catch {
    sayMissing("network namespaces");
    return undefined;
  }
}

class NamespaceSites implements Sites {
  readonly canCut = true;
  /** Short: names of interfaces have 15 letters at most. */
  readonly #prefix = `tl${process.pid % 1_000_000}`;
  readonly #network = `10.${200 + (process.pid % 50)}.${process.pid % 256}`;
  readonly #sites = new Map<string, Site>();
  readonly #dropped = new Set<string>();

  constructor() {
    process.once("exit", () => this.#remove());
    ip("link", "add", this.#bridge, "type", "bridge");
    ip("addr", "add", `${this.#network}.1/24`, "dev", this.#bridge);
    ip("link", "set", this.#bridge, "up");
  }

  site(name: string): Site {
    const known = this.#sites.get(name);
    if (known !== undefined) return known;
    if (this.#sites.size === sitesMax) throw new Error("too many sites");
    const host = `${this.#network}.${this.#sites.size + 2}`;
    const space = this.#space(name);
    const outer = `${this.#prefix}${name}`;
    ip("netns", "add", space);
    this.#sites.set(name, {
      name,
      host,
      enter: (command) => ["nsenter", `--net=/var/run/netns/${space}`, ...command],
    });
    ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space);
    ip("link", "set", outer, "master", this.#bridge, "up");
    ip("-n", space, "addr", "add", `${host}/24`, "dev", "eth0");
    ip("-n", space, "link", "set", "eth0", "up");
    ip("-n", space, "link", "set", "lo", "up");
    return this.#sites.get(name)!;
  }

  drop(from: string, to: string): void {
    const where = this.#neighbour(from, to);
    ip(...where.space, "neigh", "replace", ...where.entry, "lladdr", nobodysAddress);
    this.#dropped.add(`${from} ${to}`);
  }

  heal(): void {
    for (const link of this.#dropped) {
      const [from = "", to = ""] = link.split(" ");
      const where = this.#neighbour(from, to);
      ip(...where.space, "neigh", "del", ...where.entry);
    }
    this.#dropped.clear();
  }

  get #bridge(): string {
    return `${this.#prefix}br`;
  }

  #space(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  #neighbour(from: string, to: string): { space: string[]; entry: string[] } {
    const host = to === clients ? `${this.#network}.1` : this.site(to).host;
    if (from === clients) return { space: [], entry: [host, "dev", this.#bridge] };
    return { space: ["-n", this.#space(from)], entry: [host, "dev", "eth0"] };
  }

  #remove(): void {
    for (const name of this.#sites.keys()) {
      attempt("link", "del", `${this.#prefix}${name}`);
      attempt("netns", "del", this.#space(name));
    }
    attempt("link", "del", this.#bridge);
  }
}

function ip(...words: string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
}

function attempt(...words: string[]): void {
  try {
    ip(...words);
  } catch {
    // It is gone already.
  }
}
