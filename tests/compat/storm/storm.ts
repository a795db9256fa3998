// One storm: groups of members read one topic while it is being filled, and members leave, crash and return. Then
// all come back, read what is left, and leave; and the histories of all, and the coordinator's log, are checked.

import { type Client, createClient } from "../../../runtime/client/mod.ts";
import { createPlatform } from "../../../runtime/platforms/node.ts";
import { SeededRandom } from "../../support/random.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import type { FlightsFile } from "../flights.ts";
import { Chair } from "./chair.ts";
import { checkGroup, type Figures } from "./checks.ts";
import { readGroupLog } from "./coordinator-log.ts";
import { Feeder } from "./feed.ts";
import type { GroupHistory, Sight } from "./history.ts";
import type { Protocol, StormClient } from "./member.ts";
import { planStorm } from "./schedule.ts";

export interface Front {
  readonly client: StormClient;
  readonly protocol: Protocol;
  readonly isStatic: boolean;
}

export interface StormOptions {
  readonly name: string;
  readonly bootstrap: string;
  readonly fronts: readonly Front[];
  readonly seats: number;
  readonly partitions: number;
  readonly file: FlightsFile;
  readonly durationMs: number;
  readonly pauseMs: number;
  /** After this silence a member is put out. */
  readonly sessionMs: number;
  readonly seed: number;
  readonly say: (line: string) => void;
}

export interface GroupResult extends Figures {
  readonly client: string;
  readonly version: string;
  readonly protocol: Protocol;
  readonly static: boolean;
  readonly faults: readonly string[];
  readonly faultsTotal: number;
  /** How often somebody asked who has what. */
  readonly sights: number;
  readonly complaints: readonly string[];
}

export interface StormResult {
  readonly seed: number;
  readonly records: number;
  /** Until the last record was in and the planned time over. */
  readonly stormMs: number;
  /** From the end of the storm until every group had committed everything. */
  readonly settledMs: number;
  readonly groups: readonly GroupResult[];
}

const timing = { heartbeatMs: 500, rebalanceMs: 12_000, commitMs: 500 } as const;
/** On a busy machine it takes longer to put everything in. */
const longestShare = 5;
/** After the storm all may take this long to read what is left, and twice the storm's planned time. */
const settleMsMin = 30_000;
const settleLookMs = 500;
const sightMs = 500;
const sayMs = 5_000;
const faultsKept = 10;
const complaintChars = 600;

/** The flags of a broker for storms: consumer-protocol members have no say in their session. */
export function brokerFlags({ sessionMs }: { sessionMs: number }): string[] {
  const settings = {
    "group.initial.rebalance.delay.ms": 300,
    "group.min.session.timeout.ms": sessionMs,
    "group.consumer.session.timeout.ms": sessionMs,
    "group.consumer.heartbeat.interval.ms": timing.heartbeatMs,
  };
  return Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
}

interface Camp extends Front {
  readonly group: string;
  readonly chairs: readonly Chair[];
  readonly sights: Sight[];
}

export class Storm {
  readonly #options: StormOptions;
  readonly #topic: string;
  readonly #client: Client;
  readonly #camps: readonly Camp[];
  readonly #feeder: Feeder;
  #isOver = false;

  constructor(options: StormOptions) {
    const { bootstrap, partitions, file, durationMs } = options;
    this.#options = options;
    this.#topic = `flights-${options.name}`;
    this.#client = createClient({ platform: createPlatform(), bootstrap: [bootstrap] });
    const folder = tempFolder(`storm-${options.name}`);
    this.#camps = options.fronts.map((front) => this.#camp(front, folder));
    const feed = { client: this.#client, topic: this.#topic, partitions, file, durationMs };
    this.#feeder = new Feeder(feed);
  }

  async run(): Promise<StormResult> {
    const { partitions, seed, file } = this.#options;
    await this.#client.admin().createTopic({ name: this.#topic, partitions });
    const startedMs = performance.now();
    const watching = [this.#watch(), this.#tell(startedMs)];
    const feeding = this.#feeder.run();
    await this.#all("return");
    await this.#blow(startedMs, feeding);
    const endedMs = performance.now();
    const stormMs = Math.round(endedMs - startedMs);
    await this.#all("return");
    const committed = await this.#settle();
    const settledMs = Math.round(performance.now() - endedMs);
    this.#isOver = true;
    await Promise.all(watching);
    await this.#all("leave");
    const groups = await Promise.all(
      this.#camps.map((camp, i) => this.#check(camp, committed[i]!)),
    );
    await this.#client.close();
    return { seed, records: file.count, stormMs, settledMs, groups };
  }

  #camp(front: Front, folder: string): Camp {
    const { name, bootstrap, seats, sessionMs } = this.#options;
    const { protocol, isStatic, client } = front;
    const group = `${name}-${client.name.replace(/[^a-z]/g, "")}`;
    const chairs = Array.from({ length: seats }, (_, i) => {
      const instanceId = isStatic ? `${group}-${i}` : null;
      const of = { bootstrap, topic: this.#topic, group, protocol, instanceId };
      const seat = { ...of, ...timing, sessionMs };
      return new Chair(client, seat, { folder, name: `${group}-${i}` });
    });
    return { ...front, group, chairs, sights: [] };
  }

  async #all(action: "return" | "leave"): Promise<void> {
    await Promise.all(
      this.#camps.flatMap(({ chairs }) => chairs.map((chair) => chair.ask(action))),
    );
  }

  /** Goes on as long as it is planned, and as long as records come. */
  async #blow(startedMs: number, feeding: Promise<void>): Promise<void> {
    const { seats, durationMs, pauseMs, seed } = this.#options;
    const endMs = startedMs + durationMs;
    let isFed = false;
    const fed = feeding.then(() => {
      isFed = true;
    });
    const longMs = longestShare * durationMs;
    const plan = { groups: this.#camps.length, seats, durationMs: longMs, pauseMs };
    const asked: Promise<void>[] = [];
    for (const { atMs, group, seat, action } of planStorm(plan, new SeededRandom(seed))) {
      await sleep(Math.min(startedMs + atMs, isFed ? endMs : Infinity) - performance.now());
      if (isFed && performance.now() >= endMs) break;
      asked.push(this.#camps[group]!.chairs[seat]!.ask(action));
    }
    await Promise.all([...asked, fed]);
  }

  // ---- looking on ----

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      await Promise.all(this.#camps.map((camp) => this.#see(camp)));
      await sleep(sightMs);
    }
  }

  async #see({ group, sights }: Camp): Promise<void> {
    const info = await this.#client
      .groups()
      .describe(group)
      // Nobody has joined yet.
      .catch(() => ({ members: [] }));
    const members = info.members.map(({ memberId, instanceId, partitions }) => ({
      name: instanceId ?? memberId,
      partitions: partitions.map(({ partition }) => partition),
    }));
    if (members.length > 0) sights.push({ atMs: Date.now(), members });
  }

  async #tell(startedMs: number): Promise<void> {
    const { name, say } = this.#options;
    for (let saidMs = startedMs; !this.#isOver; await sleep(settleLookMs)) {
      if (performance.now() - saidMs < sayMs) continue;
      saidMs = performance.now();
      const groups = await Promise.all(
        this.#camps.map(async ({ client, group, chairs }) => {
          const there = chairs.filter(({ isTaken }) => isTaken).length;
          const done = sum(await this.#committed(group));
          return `${client.name} ${done} with ${there}`;
        }),
      );
      const seconds = Math.round((saidMs - startedMs) / 1000);
      say(`${name} ${seconds} s: ${this.#feeder.sent} in; ${groups.join(", ")}`);
    }
  }

  /** Resolves with what each group has committed, once that is everything or nothing more is to be hoped for. */
  async #settle(): Promise<number[][]> {
    const { file, durationMs } = this.#options;
    const endMs = performance.now() + settleMsMin + 2 * durationMs;
    for (;;) {
      const found = await Promise.all(this.#camps.map(({ group }) => this.#committed(group)));
      const isDone = found.every((offsets) =>
        offsets.every((offset, p) => offset === file.counts[p]),
      );
      const isHopeless = this.#camps.some(({ chairs }) => chairs.some((chair) => chair.isBroken));
      if (isDone || isHopeless || performance.now() > endMs) return found;
      await sleep(settleLookMs);
    }
  }

  async #committed(group: string): Promise<number[]> {
    const { partitions } = this.#options;
    const offsets = new Array<number>(partitions).fill(0);
    // There is no such group before its first member comes.
    const known = await this.#client
      .groups()
      .offsets(group)
      .catch(() => []);
    for (const { topic, partition, offset } of known) {
      if (topic === this.#topic) offsets[partition] = offset;
    }
    return offsets;
  }

  // ---- judging ----

  async #check(camp: Camp, committed: readonly number[]): Promise<GroupResult> {
    const { group, chairs, client, protocol, isStatic, sights } = camp;
    const log = await readGroupLog(this.#client, group);
    const lives = chairs.flatMap((chair) => chair.lives);
    const { leavesOneUnread = false, goesBack = false } = client;
    const habits = { leavesOneUnread, goesBack };
    const history: GroupHistory = { group, ...habits, lives, log, sights, committed };
    const { faults, figures } = checkGroup(history, this.#options.file.counts);
    const complaints = chairs.flatMap((chair) => chair.complaints);
    return {
      client: client.name,
      version: client.version,
      protocol,
      static: isStatic,
      ...figures,
      sights: sights.length,
      faultsTotal: faults.length,
      faults: faults.slice(0, faultsKept),
      complaints: complaints.slice(0, faultsKept).map(essence),
    };
  }
}

/** What was said, without where in the code. */
function essence(complaint: string): string {
  const lines = complaint.split("\n").filter((line) => !/^\s*at |file:|node:/.test(line));
  return lines.join("\n").slice(0, complaintChars);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function sleep(waitMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
}
