// Plots: faults in a certain order, each at the one moment where a rule of replication that is missing costs records.
// Chance alone meets such a moment once in thousands of seeds. A plot is played again and again while its seed runs.

import { serviceHost } from "./metadata-service.ts";
import type { Scenario } from "./scenario.ts";
import type { Stage } from "./stage.ts";
import { topic } from "./workload.ts";

export interface Plot {
  /** Not as the seed draws it. */
  readonly scenario?: Partial<Scenario>;
  readonly sessionMs?: number;
  /** It also makes sense for a broker alone. */
  readonly fitsOne?: boolean;
  readonly play: (stage: Stage) => Promise<void>;
}

const roundMsMax = 3_000;
/** One seed in so many is a plot. */
const plotEvery = 10;
const synced = { isFlushedByOs: false, hasSpare: false } as const;

/** What the seed is about, if it is a plot. */
export function plotOf(seed: number, brokers: number): Plot | undefined {
  if (seed % plotEvery !== plotEvery - 1) return undefined;
  const fitting = Object.values(plots).filter(({ fitsOne }) => fitsOne || brokers > 1);
  return fitting[Math.floor(seed / plotEvery) % fitting.length];
}

export const plots: Readonly<Record<string, Plot>> = {
  /** The last but one comes back without its records, and then the last one leaves. */
  "one is left": {
    scenario: { hasSpare: false },
    sessionMs: 400,
    async play(stage) {
      const { random } = stage;
      const cast = stage.cast();
      if (cast === undefined) return;
      const { partition, leader, others } = cast;
      const [first, second] = others;
      stage.crash(first, "kill");
      await stage.until(() => !stage.isInSync(first, partition), roundMsMax);
      await stage.wait(0, 100);
      // All of it is still on the leader.
      if (stage.isFlushedByOs && random.chance(0.5)) stage.crash(second, "power");
      else stage.wipe(second);
      await stage.wait(5, 40);
      stage.start(second);
      const isLeft = () => second.isRunning && !stage.isInSync(second, partition);
      await stage.until(isLeft, roundMsMax);
      await stage.wait(0, 10);
      stage.crash(leader, "kill");
      await stage.wait(200, 1_000);
    },
  },

  /** A replica is asked into the ISR; when that is decided, its machine has another disk. */
  "another one joins": {
    scenario: synced,
    sessionMs: 1_500,
    async play(stage) {
      const { controller } = stage;
      const cast = stage.cast((leader) => leader !== controller);
      if (cast === undefined || controller === undefined) return;
      const { partition, leader, others } = cast;
      const joiner = others.find((host) => host !== controller)!;
      stage.crash(joiner, "kill");
      await stage.until(() => !stage.isInSync(joiner, partition), roundMsMax);
      const lateMs = stage.random.between(400, 800);
      const quicken = stage.slow(leader.name, controller.name, lateMs);
      await stage.wait(lateMs);
      stage.start(joiner);
      const hasCaughtUp = () =>
        joiner.isRunning && stage.endOf(joiner, partition) >= stage.endOf(leader, partition);
      await stage.until(hasCaughtUp, roundMsMax);
      await stage.wait(2, 60);
      if (stage.isInSync(joiner, partition)) return;
      stage.cut(joiner.name, leader.name);
      stage.wipe(joiner);
      await stage.wait(1, 20);
      stage.start(joiner);
      await stage.until(() => stage.isInSync(joiner, partition), lateMs + 300);
      await stage.wait(0, 100);
      quicken();
    },
  },

  /** A leader loses its place and gets it back before a follower has heard of the first. */
  "the same leader again": {
    scenario: synced,
    sessionMs: 400,
    async play(stage) {
      const { controller } = stage;
      const cast = stage.cast((leader) => leader === controller);
      if (cast === undefined) return;
      const { partition, leader, others } = cast;
      const [between, follower] = others;
      stage.late(follower, stage.random.between(1_000, 1_800));
      await stage.give(partition, between);
      const leads = () => stage.recordOf(between, partition)?.leader === between.id;
      if (!(await stage.until(leads, roundMsMax))) return;
      await stage.wait(0, 50);
      stage.cut(between.name, serviceHost);
      stage.cut(between.name, leader.name);
      await stage.until(() => stage.newest(partition)?.leader === leader.id, roundMsMax);
      const heard = () => stage.recordOf(follower, partition)?.leader === between.id;
      await stage.until(heard, roundMsMax);
      await stage.wait(200, 400);
    },
  },

  /** A leader dies when one of its followers, which leads then or does not, has not all that the other one has. */
  "one is slower": {
    scenario: { ...synced, lagMsMax: "4000" },
    sessionMs: 1_500,
    async play(stage) {
      const cast = stage.cast();
      if (cast === undefined) return;
      const { partition, leader, others } = cast;
      const slower = stage.random.pick(others);
      stage.slowDisk(slower, [40, 150]);
      await stage.wait(200, 500);
      stage.cutOneWay(leader.name, slower.name);
      const before = stage.highWatermarkOf(leader, partition);
      await stage.until(() => stage.highWatermarkOf(leader, partition) > before, 300);
      await stage.wait(0, 15);
      stage.crash(leader, "power");
      await stage.wait(300, 800);
    },
  },

  /** Where to cut, said by a leader that another one has followed since, and that leads again. */
  "an answer of long ago": {
    scenario: synced,
    sessionMs: 400,
    async play(stage) {
      const { brokers, controller: between } = stage;
      const cast = stage.cast((leader) => leader !== between);
      if (cast === undefined || between === undefined) return;
      const { partition, leader: follower, others } = cast;
      const leader = others.find((host) => host !== between)!;
      const names = [...others.map(({ name }) => name), serviceHost];
      const heals = names.map((name) => stage.cut(follower.name, name));
      await stage.until(() => !stage.isInSync(follower, partition), roundMsMax);
      await stage.give(partition, leader);
      await stage.wait(100, 300);
      brokers.heardOf = (host, { topic: of, partition: at, leader: id }) => {
        if (host !== follower || of !== topic || at !== partition || id !== leader.id) return;
        brokers.heardOf = undefined;
        stage.slow(leader.name, follower.name, stage.random.between(1_000, 1_800));
      };
      for (const heal of heals) heal();
      await stage.until(() => brokers.heardOf === undefined, roundMsMax);
      brokers.heardOf = undefined;
      await stage.wait(5, 40);
      await stage.give(partition, between);
      await stage.until(() => stage.isInSync(follower, partition), 1_000);
      await stage.give(partition, leader);
      await stage.wait(1_000, 1_300);
    },
  },

  /** A leader and its follower do not reach each other, and each leads once: both have records that the other lacks. */
  "two write apart": {
    scenario: { ...synced, lagMsMax: "4000" },
    sessionMs: 1_500,
    async play(stage) {
      const { controller } = stage;
      const cast = stage.cast((leader) => leader !== controller);
      if (cast === undefined) return;
      const { partition, leader, others } = cast;
      const other = others.find((host) => host !== controller)!;
      const heal = stage.cut(leader.name, other.name);
      await stage.wait(100, 400);
      await stage.give(partition, other);
      await stage.wait(100, 400);
      await stage.give(partition, leader);
      await stage.wait(0, 200);
      heal();
    },
  },

  /** A leader that has not heard who left wants somebody else out. */
  "a leader of yesterday": {
    scenario: { ...synced, lagMsMax: "400" },
    sessionMs: 400,
    async play(stage) {
      const { controller, world } = stage;
      const cast = stage.cast((leader) => leader !== controller);
      if (cast === undefined || controller === undefined) return;
      const { partition, leader, others } = cast;
      const absent = others.find((host) => host !== controller)!;
      const lateMs = stage.random.between(1_500, 2_200);
      stage.late(leader, lateMs);
      const heal = stage.cut(absent.name, controller.name);
      if (!(await stage.until(() => !stage.isInSync(absent, partition), roundMsMax))) return;
      const endMs = world.scheduler.nowMs + lateMs;
      heal();
      const quicken = stage.slowDisk(controller, [500, 900]);
      const isOut = () => !stage.isInSync(controller, partition);
      await stage.until(isOut, lateMs - 300);
      quicken();
      await stage.wait(Math.max(0, endMs - 150 - world.scheduler.nowMs));
      stage.cut(absent.name, leader.name);
      await stage.wait(700, 1_000);
    },
  },

  /** One joins, the answer that says so is lost, and the leader hears late of it. */
  "the answer is lost": {
    scenario: synced,
    sessionMs: 1_500,
    async play(stage) {
      const { brokers, controller, world } = stage;
      const cast = stage.cast((leader) => leader !== controller);
      if (cast === undefined || controller === undefined) return;
      const { partition, leader, others } = cast;
      const joiner = others.find((host) => host !== controller)!;
      stage.crash(joiner, "kill");
      await stage.until(() => !stage.isInSync(joiner, partition), roundMsMax);
      stage.late(leader, stage.random.between(600, 1_000));
      stage.start(joiner);
      brokers.heardOf = (_, { isr, partition: joined, topic: of }) => {
        if (of !== topic || joined !== partition || !isr.includes(joiner.id)) return;
        brokers.heardOf = undefined;
        world.network.reset(leader.name, controller.name);
        stage.cut(joiner.name, leader.name);
      };
      await stage.until(() => brokers.heardOf === undefined, roundMsMax);
      brokers.heardOf = undefined;
      await stage.wait(800, 1_200);
    },
  },

  /** What a sync that failed had to write is gone with the power, though the next sync is fine. */
  "a sync that failed": {
    scenario: synced,
    fitsOne: true,
    async play(stage) {
      const host = stage.random.pick(stage.brokers.running);
      await stage.wait(50, 300);
      host.faults.syncsToFail = 1;
      await stage.until(() => host.faults.syncsToFail === 0, roundMsMax);
      await stage.wait(0, 400);
      host.faults.syncsToFail = 0;
      stage.crash(host, "power");
      await stage.wait(20, 300);
    },
  },

  /** Indexes of a clean stop, and a log that was torn since. */
  "torn after a clean stop": {
    scenario: synced,
    fitsOne: true,
    async play(stage) {
      const [host] = stage.shuffled();
      if (host === undefined) return;
      stage.brokers.stop(host);
      await stage.until(() => host.state === "off", roundMsMax);
      stage.start(host);
      await stage.until(() => host.isRunning, roundMsMax);
      await stage.wait(0, 400);
      stage.slowDisk(host, [100, 400]);
      await stage.wait(50, 300);
      stage.crash(host, "power");
      await stage.wait(20, 300);
    },
  },
};
