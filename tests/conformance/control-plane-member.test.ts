// ControlPlane of a cluster's member: the conformance suite for one that is the controller, and for one that asks
// another for every change.

import { test } from "uvu";
import { EagerClock } from "../support/eager-clock.ts";
import { MemberCluster, type Process } from "../support/member-cluster.ts";
import { controlPlaneSuite } from "./control-plane.ts";
import type { ControlPlaneHarness } from "./control-plane-harness.ts";

function harnessOf(cluster: MemberCluster, clock: EagerClock, process: Process) {
  const harness: ControlPlaneHarness = {
    plane: process.member,
    join: async (id) => (await cluster.start(id)).member.state().brokers.get(id)!,
    close: async () => {
      await cluster.close();
      clock.stop();
    },
  };
  return harness;
}

controlPlaneSuite("member alone", async () => {
  const clock = new EagerClock();
  const cluster = new MemberCluster(clock);
  return harnessOf(cluster, clock, await cluster.open(1));
});

controlPlaneSuite("member of three that asks the controller", async () => {
  const clock = new EagerClock();
  const cluster = new MemberCluster(clock);
  const first = await cluster.open(11);
  const second = await cluster.open(1);
  const third = await cluster.open(13);
  await cluster.register(first);
  await cluster.register(third);
  return harnessOf(cluster, clock, second);
});

test.run();
