// What looking after a cluster must do on every broker, by the client library and by `timberline cluster`: a single
// one can show, elect, move to itself and refuse; three are in `tests/cli/cluster.test.ts`.

import * as assert from "uvu/assert";
import type { Client } from "../../runtime/client/mod.ts";
import { callInProcess } from "../cli/command-line.ts";

export const careCases: readonly [string, (client: Client, bootstrap: string) => Promise<void>][] =
  [
    ["brokers and the controller are known, elections and moves are answered", care],
    ["timberline cluster shows, plans and refuses", commands],
  ];

async function care(client: Client): Promise<void> {
  const admin = client.admin();
  const configs = { "min.insync.replicas": "1" };
  await admin.createTopic({ name: "care", partitions: 2, replicationFactor: 1, configs });
  const { brokers } = await admin.care.members();
  assert.equal(
    brokers.map(({ id, isFenced }) => [id, isFenced]),
    [[1, false]],
  );
  const { controllerId, controllerEpoch, version } = await admin.care.metadataProgress();
  assert.is(controllerId, 1);
  assert.ok(controllerEpoch >= 0 && version >= 0, `epoch ${controllerEpoch}, version ${version}`);
  const values = await admin.care.topicConfigs(["care"], "min.insync.replicas");
  assert.equal([...values], [["care", "1"]]);

  const place = { topic: "care", partition: 1 };
  const kind = "preferred";
  const [elected] = await admin.care.electLeaders({ kind, partitions: [place] });
  assert.is(elected?.error?.code, "ELECTION_NOT_NEEDED");
  assert.equal(await admin.care.electLeaders({ kind, partitions: null }), []);
  const nowhere = { topic: "nowhere", partition: 0 };
  const [unknown] = await admin.care.electLeaders({ kind: "unclean", partitions: [nowhere] });
  assert.is(unknown?.error?.code, "UNKNOWN_TOPIC_OR_PARTITION");

  const outcomes = await admin.care.reassign([
    { topic: "care", partition: 0, replicas: [1] },
    { topic: "care", partition: 1, replicas: [7] },
  ]);
  const codes = outcomes.map(({ partition, error }) => [partition, error?.code ?? null]);
  assert.equal(codes, [
    [0, null],
    [1, "INVALID_REPLICA_ASSIGNMENT"],
  ]);
  const [ended] = await admin.care.reassign([{ topic: "care", partition: 0, replicas: null }]);
  assert.is(ended?.error?.code, "NO_REASSIGNMENT_IN_PROGRESS");
  assert.equal(await admin.care.reassignments(), []);
  const refusal = await admin.care.unregister(9).catch((error: { code: string }) => error.code);
  assert.is(refusal, "BROKER_ID_NOT_REGISTERED");
}

async function commands(_client: Client, bootstrap: string): Promise<void> {
  const call = (...args: string[]) => callInProcess(["cluster", ...args, "-b", bootstrap]);
  for (const args of [
    ["status", "--check"],
    ["brokers"],
    ["map"],
    ["throttle", "--rate", "1MiB"],
    ["throttle"],
    ["throttle", "--off"],
    ["elect"],
    ["rebalance"],
    ["rebalance", "--replicas"],
    ["reassign", "list"],
    ["add", "1"],
  ]) {
    const end = await call(...args);
    assert.is(end.code, 0, `${args.join(" ")}: ${end.stderr}`);
  }
  const alone = await call("decommission", "1", "--yes");
  assert.is(alone.code, 1);
  assert.match(alone.stderr, /without broker 1 there are 0 brokers up, too few for /);
}
