// A slice of the faults on real processes for every day: one kill, one SIGSTOP, one restart of NATS, with all clients
// and all checks. `npm run proof:chaos` takes half an hour.
// Time limit: 120 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { findTool } from "../support/missing-tool.ts";
import { natsServerProgram } from "../support/nats-server.ts";
import { type Fault, faults } from "./faults.ts";
import { pause } from "./fleet.ts";
import { runSegment } from "./segment.ts";
import { loopbackSites } from "./sites.ts";

const natsProgram = await natsServerProgram();

const slice: Fault = {
  name: "slice",
  async round(scene) {
    const { fleet, topic } = scene;
    await fleet.nats.kill(0);
    const killed = fleet.broker(await fleet.leaderOf(topic, 0));
    await fleet.nats.startServer(0);
    await killed.kill();
    const stopped = fleet.running[0]!;
    await killed.restart();
    await fleet.settle();
    stopped.pause();
    await pause(2_000);
    stopped.resume();
  },
};

if (natsProgram !== undefined) {
  test("a kill, a stop and a restart of NATS lose, repeat and reorder nothing", async () => {
    const said: string[] = [];
    const result = await runSegment({
      ...{ fault: slice, sites: loopbackSites(), natsProgram, python: undefined, seed: 1 },
      ...{ kcat: findTool("kcat"), durationMs: 60_000, roundsMax: 1, quietMs: 300 },
      say: (line) => said.push(line),
    });
    assert.equal(result.violations, [], said.join("\n"));
    assert.ok(result.acknowledged > 500, `${result.acknowledged} acknowledged`);
    assert.ok(result.replicas.batches > 100, `${result.replicas.batches} batches compared`);
  });
}

test("every fault has a name of its own", () => {
  const names = faults.map(({ name }) => name);
  assert.is(new Set(names).size, names.length);
});

test.run();
