// openLog(): a whole log inside a program, whose doors are called.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { openLog } from "../../runtime/mod.ts";
import { codeOf } from "../support/refusal.ts";
import { tempFolder } from "../support/temp-folder.ts";

const decoder = new TextDecoder();

test("both doors are one log, without a port", async () => {
  const configs = { "group.initial.rebalance.delay.ms": "0" };
  const log = await openLog({ dataDir: "memory", configs });
  const client = log.client();
  await client.producer().send({ topic: "notes", value: "by the client" });
  const path = "/v1/topics/notes/partitions/0/records";
  assert.is((await log.fetch(path, { method: "POST", body: "by fetch" })).status, 200);
  const offsetReset = "earliest";
  const consumer = client.groupConsumer({ groupId: "g", topics: ["notes"], offsetReset });
  const values: string[] = [];
  for await (const { value } of consumer) {
    if (values.push(decoder.decode(value ?? undefined)) === 2) break;
  }
  assert.equal(values, ["by the client", "by fetch"]);
  await log.close();
  assert.is(await codeOf(() => log.fetch("/v1/topics")), "BROKER_NOT_AVAILABLE");
});

test("a folder keeps it for the next one who opens it", async () => {
  const dataDir = tempFolder("embedded");
  for (const round of [1, 2]) {
    const log = await openLog({ dataDir, flush: "os" });
    const producer = log.client().producer();
    assert.is((await producer.send({ topic: "notes", value: `${round}` })).offset, round - 1);
    await log.close();
  }
});

test.run();
