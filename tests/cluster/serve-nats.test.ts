// `timberline serve --nats` as processes, against a real nats-server: three brokers that copy for each other, several
// behind one command, and the sentences for who may not take part.
// Time limit: 120 s

import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { timberline } from "../cli/command-line.ts";
import { natsServerProgram, TestNats } from "../support/nats-server.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { eventually } from "./cluster-scene.ts";
import {
  createTopic,
  describedAt,
  startBrokers,
  stopBrokers,
  store,
  valuesAt,
} from "./served-brokers.ts";

const program = await natsServerProgram();
const topic = "t";
const restartMsMax = 30_000;

function brokerArgs(id: number, nats: TestNats, cluster: string): string[] {
  return ["--broker-id", `${id}`, "--nats", nats.urls[0]!, "--cluster", cluster, "--flush", "os"];
}

async function withNats(run: (nats: TestNats) => Promise<void>, config = ""): Promise<void> {
  const nats = await TestNats.start({ program: program!, config });
  try {
    await run(nats);
  } finally {
    await nats.stop();
  }
}

const threeBrokers = () =>
  withNats(async (nats) => {
    const ids = [1, 2, 3];
    const servers = await Promise.all(
      ids.map((id) => TestServer.start({ args: brokerArgs(id, nats, "three") })),
    );
    const doorOf = (id: number) => servers[id - 1]!.http;
    await createTopic(doorOf(1), topic, 3);
    for (const id of ids) await store(doorOf(id), topic, `through ${id}`);
    const { leader } = await describedAt(doorOf(1), topic);
    const other = (leader % 3) + 1;
    await servers[leader - 1]!.kill();
    await store(doorOf(other), topic, "without its leader");
    await servers[leader - 1]!.restart();
    await eventually(
      "all are in sync",
      async () => (await describedAt(doorOf(other), topic)).isr.length === 3,
      restartMsMax,
    );
    const all = [...ids.map((id) => `through ${id}`), "without its leader"];
    for (const id of ids) assert.equal(await valuesAt(doorOf(id), topic), all);

    const ports = ["--kafka-port", "0", "--http-port", "0"];
    const folder = ["--data-dir", join(tempFolder("second"), "log"), ...ports];
    const second = await timberline(["serve", ...brokerArgs(1, nats, "three"), ...folder]);
    assert.is(second.code, 2, second.stderr);
    assert.match(second.stderr, /^error: Broker id 1 belongs to the living broker at .*$/m);
    assert.not.match(second.stderr, /\n\s+at /);
    const strayDir = servers[0]!.dataDir;
    const ends = await Promise.all(servers.map((server) => server.stop()));
    assert.equal(
      ends.map(({ code }) => code),
      [0, 0, 0],
    );
    const stray = await startBrokers(2, { args: ["--nats", nats.urls[0]!, "--cluster", "other"] });
    await createTopic(stray.doors[0]!, topic, 2);
    await store(stray.doors[1]!, topic, "two behind one command");
    assert.equal(await valuesAt(stray.doors[0]!, topic), ["two behind one command"]);
    const foreign = ["serve", ...brokerArgs(1, nats, "other"), "--data-dir", strayDir, ...ports];
    const refused = await timberline(foreign);
    assert.is(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /^error: .*cluster/m);
    assert.is((await stopBrokers(stray)).code, 0);
  });

const wrongCredentials = () =>
  withNats(async (nats) => {
    const args = ["--data-dir", join(tempFolder("password"), "log"), "--kafka-port", "0"];
    const end = await timberline(["serve", "--http-port", "0", ...args, "--nats", nats.urls[0]!]);
    assert.is(end.code, 2, end.stderr);
    assert.match(end.stderr, /^error: .*NATS/m);
    assert.not.match(end.stderr, /\n\s+at /);
    assert.is(end.stdout, "");
  }, 'authorization { user: "me", password: "secret" }');

if (program !== undefined) {
  test(
    "serve --nats: three brokers, any door; one dies and comes back; no second one of its id, no stranger",
    threeBrokers,
  );
  test("serve --nats says in a sentence that NATS does not let it in", wrongCredentials);
}

test.run();
