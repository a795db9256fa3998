// Scenes of a cluster of members on a clock in the test's hand: what the tests of members have in common.

import * as assert from "uvu/assert";
import type { ControlPlane } from "../../../cluster/control-plane.ts";
import type { MemberOptions } from "../../../cluster/member.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { MemberCluster, type Process } from "../../support/member-cluster.ts";

/** A step of time: finer than anything that is waited for. */
const STEP_MS = 10;
const WAIT_MS_MAX = 60_000;

export class Scene {
  readonly clock = new ManualClock();
  readonly cluster: MemberCluster;

  constructor(seed = 1) {
    this.cluster = new MemberCluster(this.clock, seed);
  }

  /** Members 1..count, registered one after the other: the first one is the controller. */
  static async of(count: number, options: Partial<MemberOptions> = {}): Promise<Scene> {
    const scene = new Scene();
    for (let id = 1; id <= count; id++) await scene.start(id, options);
    return scene;
  }

  start(id: number, options: Partial<MemberOptions> = {}): Promise<Process> {
    return this.passing(this.cluster.start(id, options));
  }

  /** The newest process with this id. */
  process(id: number): Process {
    return this.cluster.processes.filter(({ brokerId }) => brokerId === id).at(-1)!;
  }

  plane(id: number): ControlPlane {
    return this.process(id).member;
  }

  get planes(): ControlPlane[] {
    return this.cluster.processes.map(({ member }) => member);
  }

  /** Lets time pass until the work is done. */
  async passing<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    for (let ms = 0; !isDone && ms < WAIT_MS_MAX; ms += STEP_MS) await this.clock.advance(STEP_MS);
    assert.ok(isDone, "waited in vain");
    return work;
  }

  /** How long it takes until this holds. */
  async until(holds: () => boolean): Promise<number> {
    const startMs = this.clock.monotonicMs();
    for (let ms = 0; !holds() && ms < WAIT_MS_MAX; ms += STEP_MS) await this.clock.advance(STEP_MS);
    assert.ok(holds(), "waited in vain");
    return this.clock.monotonicMs() - startMs;
  }

  async topic(name: string, assignments: number[][], configs: [string, string][] = []) {
    const plane = this.plane(assignments[0]![0]!);
    return this.passing(
      plane.createTopic({ name, layout: { assignments }, configs: new Map(configs) }),
    );
  }

  topicThrough(id: number, name: string) {
    const layout = { partitions: 1, replicationFactor: 1 };
    return this.passing(this.plane(id).createTopic({ name, layout, configs: new Map() }));
  }

  partition(id: number, name: string, partition = 0) {
    return this.plane(id).state().topics.get(name)!.partitions[partition]!;
  }

  fenced(seenBy: number): number[] {
    const brokers = [...this.plane(seenBy).state().brokers.values()];
    return brokers.filter(({ fenced }) => fenced).map(({ id }) => id);
  }

  async close(): Promise<void> {
    await this.cluster.close();
  }
}
