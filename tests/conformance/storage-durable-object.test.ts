// The Storage suite on Durable Objects with SQLite, inside the real workerd with objects on local disk; and that what
// was synced is there after kill -9.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { bundleEdge, WorkerdServer } from "../support/workerd.ts";
import { READ_CASE, WRITE_CASE } from "./durable-object-cases.ts";

const bundle = await bundleEdge("tests/conformance/durable-object-worker.ts");
const server = await WorkerdServer.start({ bundle });
const names = (await (await fetch(server.http)).json()) as string[];

test.after(async () => {
  await server.kill();
});

test("the Worker has all cases", () => assert.ok(names.length > 20, names.join("\n")));

for (const name of names) {
  if (name !== WRITE_CASE && name !== READ_CASE) test(name, () => passes(name, name));
}

test("what was synced is there after kill -9", async () => {
  await passes(WRITE_CASE, "lasting");
  await server.kill();
  await server.restart();
  await passes(READ_CASE, "lasting");
});

async function passes(name: string, object: string): Promise<void> {
  const url = `${server.http}/${encodeURIComponent(name)}?object=${encodeURIComponent(object)}`;
  const answer = await fetch(url);
  assert.is(await answer.text(), "passed");
}

test.run();
