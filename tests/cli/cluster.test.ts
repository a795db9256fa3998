// `timberline cluster …` against brokers of one cluster in this process: what is shown, what moves, what is refused,
// and a controller that is lost in the middle of a move.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PartitionRecord } from "../../cluster/control-plane.ts";
import { ClusterScene, eventually } from "../cluster/cluster-scene.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { callInProcess } from "./command-line.ts";

type Rows = Record<string, unknown>[];

let scene: ClusterScene;

test.before(async () => {
  scene = new ClusterScene({ "timberline.flush": "os" }, { members: true });
  await scene.start(1, 2, 3);
});
test.after(() => scene.close());

function call(of: ClusterScene, ...args: string[]) {
  const [server] = of.servers.values();
  const bootstrap = `${server?.kafka.host}:${server?.kafka.port}`;
  return callInProcess(["cluster", ...args, "-b", bootstrap]);
}

/** Must end with 0. */
async function done(...args: string[]) {
  const end = await call(scene, ...args);
  assert.is(end.code, 0, `${args.join(" ")}: ${end.stderr}`);
  return end;
}

async function rows(...args: string[]): Promise<Rows> {
  return JSON.parse((await done(...args, "-o", "json")).stdout) as Rows;
}

async function status(): Promise<Record<string, unknown>> {
  return JSON.parse((await done("status", "--json")).stdout) as Record<string, unknown>;
}

async function create(of: ClusterScene, name: string, assignments: number[][]) {
  return of.client.admin().createTopic({ name, assignments });
}

async function fill(of: ClusterScene, topic: string, options: { records: number; bytes: number }) {
  const producer = of.client.producer({ acks: -1 });
  const value = "x".repeat(options.bytes);
  const sent = [];
  for (let i = 0; i < options.records; i++) sent.push(producer.send({ topic, value }));
  await Promise.all(sent);
  await producer.close();
}

function record(of: ClusterScene, topic: string, partition = 0): PartitionRecord {
  const [server] = of.servers.values();
  return server!.broker.cluster().topics.get(topic)!.partitions[partition]!;
}

test("status, brokers and map show a cluster that is well", async () => {
  await create(scene, "seats", [
    [1, 2],
    [2, 3],
  ]);
  const shown = await status();
  assert.equal(shown.brokersUp, [1, 2, 3]);
  assert.equal(shown.brokersFenced, []);
  for (const key of ["offline", "belowMinInSync", "underReplicated", "reassigning"]) {
    assert.equal(shown[key], [], key);
  }
  assert.ok(Number(shown.controller) >= 1 && Number(shown.metadataVersion) > 0);
  await done("status", "--check");
  const brokers = await rows("brokers");
  assert.equal(
    brokers.map(({ id, state, partitions, leaders }) => [id, state, partitions, leaders]),
    [
      [1, "up", 1, 1],
      [2, "up", 2, 1],
      [3, "up", 1, 0],
    ],
  );
  const table = (await done("map", "--topic", "seats")).stdout;
  assert.match(table, /^PARTITION +1 +2 +3\nseats-0 +L +o +\.\nseats-1 +\. +L +o\n$/);
  const map = await rows("map", "--topic", "seats");
  assert.equal([map[1]?.topic, map[1]?.leader, map[1]?.replicas], ["seats", 2, [2, 3]]);
});

test("reassign --to moves a topic, --plan takes Kafka's JSON, and what is wrong is said", async () => {
  await create(scene, "moved", [[1, 2]]);
  await fill(scene, "moved", { records: 100, bytes: 1_000 });
  const flags = ["--topic", "moved", "--watch", "--yes"];
  const [planned] = await rows("reassign", "--to", "2,3", ...flags, "-o", "json");
  assert.equal(
    [planned?.from, planned?.replicas],
    [
      [1, 2],
      [3, 2],
    ],
  );
  assert.ok(Number(planned?.bytes) > 100_000);
  assert.equal(record(scene, "moved").replicas, [3, 2]);
  assert.is(record(scene, "moved").leader, 3);

  const file = join(tempFolder(), "plan.json");
  const plan = (replicas: number[], partition = 0) =>
    writeFileSync(
      file,
      JSON.stringify({ version: 1, partitions: [{ topic: "moved", partition, replicas }] }),
    );
  plan([1, 2, 3]);
  await done("reassign", "--plan", file, "--watch", "--yes");
  assert.equal(record(scene, "moved").replicas, [1, 2, 3]);
  assert.match((await done("reassign", "--plan", file, "--yes")).stderr, /nothing has to move/);

  const refused: [RegExp, ...string[]][] = [
    [/--to BROKERS with --topic, or --plan FILE/],
    [/there is no broker 9/, "--to", "9", "--topic", "moved"],
    [/there is no topic nowhere|UNKNOWN_TOPIC/, "--to", "1", "--topic", "nowhere"],
    [/moved-0 has 3 replicas, and --to names 1 broker/, "--to", "1", "--topic", "moved"],
    [/is not an action/, "move"],
  ];
  for (const [sentence, ...args] of refused) {
    const end = await call(scene, "reassign", ...args);
    assert.is.not(end.code, 0, args.join(" "));
    assert.match(end.stderr, sentence);
  }
  plan([1, 7]);
  assert.match(
    (await call(scene, "reassign", "--plan", file)).stderr,
    /moved-0: there is no broker 7/,
  );
  plan([1, 2], 5);
  assert.match((await call(scene, "reassign", "--plan", file)).stderr, /moved-5: there is no such/);
  for (const text of ["{", "{}", '[{"topic":"moved"}]', "null"]) {
    writeFileSync(file, text);
    assert.is((await call(scene, "reassign", "--plan", file)).code, 2, text);
  }
});

test("elect makes the preferred replica lead again, and says what cannot be", async () => {
  await create(scene, "elected", [[3, 1]]);
  await scene.client.admin().care.reassign([{ topic: "elected", partition: 0, replicas: [1, 3] }]);
  assert.is(record(scene, "elected").leader, 3);
  assert.equal((await status()).notPreferred, ["elected-0"]);
  await done("elect", "--topic", "elected", "-p", "0");
  assert.is(record(scene, "elected").leader, 1);
  await done("elect");
  assert.equal((await status()).notPreferred, []);
  const unclean = await done("elect", "--topic", "elected", "--unclean", "--yes");
  assert.match(unclean.stderr, /0 leaders elected/, "one in sync leads already");
  const nowhere = await call(scene, "elect", "--topic", "elected", "-p", "7");
  assert.match(nowhere.stderr, /elected has no partition 7/);
});

test("throttle sets rates and lists as Kafka's tools do, shows them, and takes them away", async () => {
  await done("throttle", "--rate", "5MiB", "--topic", "seats");
  const set = await rows("throttle");
  assert.equal(
    set.map(({ broker, leaderRate, followerRate }) => [broker, leaderRate, followerRate]),
    [1, 2, 3].map((id) => [id, 5 * 2 ** 20, 5 * 2 ** 20]),
  );
  const configs = () =>
    scene.client.admin().describeConfigs(
      { kind: "topic", name: "seats" },
      {
        names: ["leader.replication.throttled.replicas"],
      },
    );
  assert.is((await configs())[0]?.value, "*");
  await done("throttle", "--off");
  assert.ok((await rows("throttle")).every(({ leaderRate }) => leaderRate === null));
  assert.is((await configs())[0]?.value, "");
  assert.is((await call(scene, "throttle", "--rate", "fast")).code, 2);
});

test("a throttled move takes its time, shows what it does, and can be ended", async () => {
  await create(scene, "slow", [[1]]);
  await fill(scene, "slow", { records: 400, bytes: 10_000 });
  const flags = ["--topic", "slow", "--throttle", "100KiB", "--yes"];
  await done("reassign", "--to", "2", ...flags);
  const [moving] = await rows("reassign", "list");
  assert.equal([moving?.topic, moving?.adding, moving?.removing], ["slow", [2], [1]]);
  const copied = Number(moving?.copied);
  assert.ok(copied >= 0 && copied < 0.9, `${copied} of it is there`);
  assert.equal((await status()).reassigning, ["slow-0"]);
  assert.equal((await status()).underReplicated, [], "a copy that is made is not one that lacks");
  assert.match((await done("map", "--topic", "slow")).stdout, /slow-0 +L- +x\+ +\./);
  await done("reassign", "--cancel", "--topic", "slow", "--yes");
  assert.equal(await rows("reassign", "list"), []);
  assert.equal(record(scene, "slow").replicas, [1]);
  await done("throttle", "--off");
  assert.match((await done("reassign", "--cancel", "--yes")).stderr, /nothing is moving/);
});

test("add gives a new broker its share, decommission takes it away and forgets it", async () => {
  const layout = Array.from({ length: 8 }, (_, at) => [(at % 3) + 1, ((at + 1) % 3) + 1]);
  await create(scene, "shared", layout);
  await fill(scene, "shared", { records: 200, bytes: 1_000 });
  await scene.start(4);
  const before = await rows("brokers");
  const total = before.reduce((sum, { partitions }) => sum + Number(partitions), 0);
  await done("add", "4", "--yes");
  const added = (await rows("brokers")).find(({ id }) => id === 4);
  assert.is(added?.partitions, Math.floor(total / 4));
  assert.ok(Number(added?.leaders) >= 2, `${added?.leaders} leaders`);
  assert.ok((await rows("throttle")).every(({ leaderRate }) => leaderRate === null));
  assert.match((await done("add", "4", "--yes")).stderr, /nothing has to move/);

  const left = await done("decommission", "4", "--yes");
  assert.match(left.stderr, /broker 4 holds nothing any more: stop it now/);
  const emptied = (await rows("brokers")).find(({ id }) => id === 4);
  assert.equal([emptied?.partitions, emptied?.leaders], [0, 0]);
  const shared = await rows("map", "--topic", "shared");
  for (const { replicas, isr } of shared) {
    assert.is((replicas as number[]).length, 2);
    assert.is((isr as number[]).length, 2);
  }
  const waiting = done("decommission", "4", "--wait", "20s", "--yes");
  await scene.server(4).close();
  scene.servers.delete(4);
  assert.match((await waiting).stderr, /broker 4 is forgotten/);
  assert.equal((await status()).brokersUp, [1, 2, 3]);
  assert.equal((await status()).brokersFenced, []);

  const refused = await call(scene, "decommission", "3", "--yes");
  assert.is(refused.code, 1);
  assert.match(refused.stderr, /without broker 3 there are 2 brokers up, too few for moved-0 with/);
  assert.match((await call(scene, "decommission", "9")).stderr, /there is no broker 9/);
  assert.match((await call(scene, "add", "four")).stderr, /not the number of a broker/);
});

test("rebalance evens replicas and leaders out", async () => {
  await create(scene, "heavy", [[1], [1], [1], [1], [1], [1]]);
  await done("rebalance", "--replicas", "--topic", "heavy", "--yes");
  const map = await rows("map", "--topic", "heavy");
  const leaders = map.map(({ leader }) => Number(leader)).sort();
  assert.equal(leaders, [1, 1, 2, 2, 3, 3]);
  assert.match((await done("rebalance")).stderr, /preferred replicas lead/);
  const dry = await done("rebalance", "--replicas", "--topic", "heavy", "--dry-run");
  assert.match(dry.stderr, /nothing has to move/);
});

test("a controller lost in the middle of a move does not stop it, and its copies are made anew", async () => {
  const own = new ClusterScene({ "timberline.flush": "os" }, { members: true });
  try {
    await own.start(1, 2, 3, 4);
    await create(own, "carried", [[2, 3]]);
    await fill(own, "carried", { records: 300, bytes: 10_000 });
    const controller = own.server(2).broker.cluster().controllerId;
    const other = controller === 1 ? 2 : 1;
    await create(own, "orphaned", [[controller, other]]);
    const onto = [2, 3, 4].filter((id) => id !== controller);
    const target = [...onto.slice(0, 1), 4].join();
    const flags = ["--to", target, "--topic", "carried", "--throttle", "1MiB", "--watch", "--yes"];
    const stays = [...own.servers.keys()].filter((id) => id !== controller);
    const bootstrap = stays.map((id) => own.server(id).kafka);
    const addresses = bootstrap.map(({ host, port }) => `${host}:${port}`).join();
    const moved = callInProcess(["cluster", "reassign", ...flags, "-b", addresses]);
    await eventually("it moves", () => record(own, "carried").adding.length > 0);
    own.cut(controller);
    const end = await moved;
    assert.is(end.code, 0, end.stderr);
    await eventually("it has moved", () => String(record(own, "carried").replicas) === target);
    const check = await call(own, "status", "--check");
    assert.is(check.code, 10, check.stderr);
    assert.match(check.stderr, /not healthy/);
    const gone = await call(own, "decommission", String(controller), "--yes");
    assert.is(gone.code, 0, gone.stderr);
    assert.match(gone.stderr, new RegExp(`broker ${controller} is forgotten`));
    assert.not(record(own, "orphaned").replicas.includes(controller));
    const well = await call(own, "status", "--check");
    assert.is(well.code, 0, well.stdout);
  } finally {
    await own.close();
  }
});

test.run();
