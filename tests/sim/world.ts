// What all parts of one simulation share: its seed, time, wires, metadata service and trace.

import type { Core } from "../../storage-wasm/core.ts";
import { Links } from "./links.ts";
import { MetadataService } from "./metadata-service.ts";
import { SimNetwork } from "./network.ts";
import { type Host, SimProcess } from "./process.ts";
import { type Owner, Scheduler } from "./scheduler.ts";
import { SeededRandom } from "./seeded-random.ts";

/** Lines of a trace that is not printed as it comes: the last ones, for a failure. */
const linesKept = 60;

export interface WorldOptions {
  readonly seed: number;
  readonly core: Core;
  /** Takes each line as it comes; absent: only what a failure needs is kept. */
  readonly print?: ((line: string) => void) | undefined;
}

export class World {
  readonly seed: number;
  readonly random: SeededRandom;
  readonly core: Core;
  readonly scheduler = new Scheduler();
  readonly links: Links;
  readonly network: SimNetwork;
  readonly metadata: MetadataService;
  /** Whatever the simulation itself does: faults, looks. */
  readonly director: Owner = { name: "director", number: 0, isAlive: true };
  readonly lines: string[] = [];
  readonly isTraced: boolean;
  readonly #print: ((line: string) => void) | undefined;
  #clients = 0;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.core = options.core;
    this.random = new SeededRandom(options.seed, "world");
    this.links = new Links(this.random.fork("links"));
    this.network = new SimNetwork(this.scheduler, this.links);
    this.metadata = new MetadataService(this.scheduler, this.links);
    this.#print = options.print;
    this.isTraced = options.print !== undefined;
  }

  /** A machine of its own with one process that never dies. */
  client(name: string): SimProcess {
    const host: Host = { name, isUp: true, wallOffsetMs: 0 };
    const random = this.random.fork(name);
    const number = 16 + this.#clients++;
    return new SimProcess(this.scheduler, { name, number, host, random });
  }

  after(delayMs: number, run: () => void): void {
    this.scheduler.after(delayMs, this.director, 6, run);
  }

  beforeNext(look: () => void): void {
    this.scheduler.beforeNext(look);
  }

  /** The metadata service has forgotten some of what was decided. */
  get hasGoneBack(): boolean {
    return this.metadata.epoch > 0;
  }

  trace(who: string, what: string): void {
    const time = this.scheduler.nowMs.toFixed(2).padStart(9);
    const line = `${time} ${who.padEnd(4)} ${what}`;
    this.#print?.(line);
    this.lines.push(line);
    if (this.lines.length > 2 * linesKept) this.lines.splice(0, linesKept);
  }
}
