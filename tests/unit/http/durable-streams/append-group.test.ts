// Appends to a stream that come in one turn: one batch, an offset for each, and judged again when they do not fit.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../../runtime/errors.ts";
import { call, openDoor, platform, type TestDoor } from "../door.ts";

const type = { "content-type": "text/plain" };
const path = "/v1/stream/s";

function appendAll(door: TestDoor, bodies: readonly string[]) {
  return Promise.all(bodies.map((body) => call(door, "POST", path, body, type)));
}

function offsetOf(headers: Headers): number {
  return Number(headers.get("stream-next-offset")!.split("_")[1]);
}

test("AppendGroup stores what came together as one batch, and tells each its own end", async () => {
  const door = openDoor();
  await call(door, "PUT", path, undefined, type);
  const before = door.broker.appends.length;
  const bodies = Array.from({ length: 20 }, (_, i) => `${i},`);
  const answers = await appendAll(door, bodies);
  assert.ok(door.broker.appends.length - before <= 2, `${door.broker.appends.length} batches`);
  assert.equal(
    answers.map(({ headers }) => offsetOf(headers)).sort((a, b) => a - b),
    bodies.map((_, i) => i + 1),
  );
  const page = await call(door, "GET", `${path}?offset=-1`);
  assert.is(page.text, bodies.join(""));
});

test("AppendGroup of a writer that is alone does not wait for the turn's end", async () => {
  let turns = 0;
  const clock = { ...platform.clock, soon: (_: () => void) => void turns++ };
  const door = openDoor({ platform: { ...platform, clock } });
  await call(door, "PUT", path, undefined, type);
  // Nothing that waits for the end of a turn ever goes on here.
  const answer = await call(door, "POST", path, "alone", type);
  assert.is(answer.status, 204);
  assert.is(turns, 1, "the next one of this turn would wait");
});

test("AppendGroup that is too large for its topic is stored one by one", async () => {
  const door = openDoor();
  await call(door, "PUT", path, undefined, type);
  door.broker.onAppend = ({ batch }) => {
    if (batch.length > 200) throw new BrokerError("MESSAGE_TOO_LARGE", "larger than it may be");
  };
  const answers = await appendAll(
    door,
    ["a", "b", "c"].map((each) => each.repeat(60)),
  );
  assert.equal(
    answers.map(({ status }) => status),
    [204, 204, 204],
  );
  const page = await call(door, "GET", `${path}?offset=-1`);
  assert.is([...page.text].sort().join(""), "a".repeat(60) + "b".repeat(60) + "c".repeat(60));
  const large = await call(door, "POST", path, "x".repeat(500), type);
  assert.is(large.status, 413);
});

test.run();
