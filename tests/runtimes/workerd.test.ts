// The black-box list inside the real workerd: a broker in a Durable Object on local disk, both doors, and what only
// this host has: a second process on the same folder.
// Time limit: 120 s

import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { projectFolder } from "../support/project.ts";
import { WorkerdServer, workerdRuntime } from "../support/workerd.ts";
import type { Case } from "./case.ts";
import { oneBrokerCases } from "./kafka-cases.ts";
import { createTopic, fetchAll, produce, values } from "./steps.ts";
import { queueCases } from "./suite.ts";

const script = join(projectFolder, "tests/runtimes/client-program.ts");
const runtime = await workerdRuntime(script);

const workerdCases: readonly Case[] = [
  {
    name: "knows who connects to the Kafka door",
    async run({ kafka, server }) {
      const socket = connect(kafka);
      let port = 0;
      await new Promise<void>((resolve, reject) => {
        socket.on("connect", () => {
          port = socket.localPort ?? 0;
          socket.write(Uint8Array.of(0x80, 0, 0, 0, 0, 3, 0, 9));
        });
        socket.on("data", () => {}).on("error", reject);
        socket.on("close", () => resolve());
      });
      const own = new RegExp(`127\\.0\\.0\\.1:${port}\\b`);
      for (let turn = 0; turn < 100 && !own.test(server.process.stderr); turn++) await sleep(20);
      assert.match(server.process.stderr, own);
    },
  },
  {
    name: "lets only the last of two processes on one folder write",
    async run({ http, server }) {
      await createTopic(http, "contended");
      await produce(http, "contended", ["first"]);
      const second = await WorkerdServer.start({ dataDir: server.dataDir });
      await produce(second.http, "contended", ["second"]);
      const refused = await fetch(`${http}/v1/topics/contended/records`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"value":"lost"}',
      });
      assert.is.not(refused.status, 200);
      assert.match(await refused.text(), "another process");
      assert.equal(values(await fetchAll(second.http, "contended")), ["first", "second"]);
      await second.stop();
      await server.kill();
      await server.restart();
      assert.equal(values(await fetchAll(http, "contended")), ["first", "second"]);
    },
  },
];

queueCases("workerd", runtime, () => WorkerdServer.start(), [...workerdCases, ...oneBrokerCases]);

test.run();
