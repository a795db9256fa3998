// One data folder, opened by one runtime after the other: each finds what the others wrote, byte for byte, also
// after kill -9, and writes on.
// Time limit: 90 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { request } from "../support/http-client.ts";
import { bun, currentNode, deno } from "../support/runtimes.ts";
import { TestServer } from "../support/server.ts";
import { createTopic, fetchAll, produce, recordsUrl, values } from "./steps.ts";

test("a data folder goes from runtime to runtime, also after kill -9", async () => {
  const order = [currentNode(), deno(), bun(), currentNode()];
  const written: string[] = [];
  let dataDir: string | undefined;
  let before = new Uint8Array();
  for (const [turn, runtime] of order.entries()) {
    const server = await TestServer.start({
      runtime,
      ...(dataDir === undefined ? {} : { dataDir }),
    });
    const { http } = server;
    dataDir = server.dataDir;
    if (turn === 0) await createTopic(http, "handed-on");
    assert.equal(await rawBatches(http), before, `${runtime.name} reads what was there`);
    for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"]) {
      const batch = [`${turn} ${runtime.name} ${codec}`, "the same again, ".repeat(20)];
      await produce(http, "handed-on", batch, `?compression=${codec}`);
      written.push(...batch);
    }
    assert.equal(values(await fetchAll(http, "handed-on")), written, runtime.name);
    before = await rawBatches(http);
    await (turn % 2 === 0 ? server.kill() : server.stop());
  }
});

async function rawBatches(http: string): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await request(`${recordsUrl(http, "handed-on")}?format=batches&offset=0`);
  return new Uint8Array(await answer.arrayBuffer());
}

test.run();
