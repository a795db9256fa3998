// Request bodies under their limits: the budget of bytes in memory, and what takes and returns it.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { InflightBudget } from "../../../runtime/http/body.ts";
import { defaultHttpLimits } from "../../../runtime/http/limits.ts";
import { openDoor, platform, post, streamed } from "./door.ts";

function budget(inflightBytesMax: number, inflightWaitMsMax = 10_000) {
  const counters = { sseStreams: 0, inflightBytes: 0 };
  const limits = { ...defaultHttpLimits, inflightBytesMax, inflightWaitMsMax };
  return { counters, budget: new InflightBudget({ clock: platform.clock, limits, counters }) };
}

test("acquire() answers at once while there is room, later in order", async () => {
  const { budget: inflight, counters } = budget(100);
  assert.is(inflight.acquire(60), undefined);
  const order: string[] = [];
  const second = inflight.acquire(60)?.then(() => order.push("second"));
  const third = inflight.acquire(10)?.then(() => order.push("third"));
  assert.ok(second && third);
  inflight.release(60);
  await Promise.all([second, third]);
  assert.equal(order, ["second", "third"]);
  assert.is(counters.inflightBytes, 70);
});

test("acquire() lets one body in that is larger than the whole budget", () => {
  const { budget: inflight } = budget(100);
  assert.is(inflight.acquire(5000), undefined);
  assert.ok(inflight.acquire(1) instanceof Promise);
});

test("acquire() gives up with 503 after a while, and leaves the queue", async () => {
  const { budget: inflight } = budget(100, 5);
  inflight.acquire(100);
  const alive = setTimeout(() => {}, 5000);
  try {
    await inflight.acquire(50);
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code: string }).code, "THROTTLING_QUOTA_EXCEEDED");
  } finally {
    clearTimeout(alive);
  }
  inflight.release(100);
  assert.is(inflight.acquire(100), undefined);
});

test("withBody() counts what a body without length really brings, and gives it back", async () => {
  const door = openDoor();
  let most = 0;
  door.broker.onAppend = () => {
    most = Math.max(most, door.counters.inflightBytes);
  };
  const piece = "x".repeat(100_000);
  const answer = await post(door, "/v1/topics/t/records", streamed(Array(9).fill(piece)));
  assert.is(answer.status, 200);
  assert.ok(most >= 900_000 && most <= 2_000_000, `${most}`);
  assert.is(door.counters.inflightBytes, 0);
  await post(door, "/v1/topics/t/records", streamed(["{"]), { "content-type": "application/json" });
  assert.is(door.counters.inflightBytes, 0);
});

test("withBody() and withText() take what the platform has, and read the request where it has not", async () => {
  const door = openDoor();
  const asked: number[] = [];
  const send = (path: string, here: Uint8Array | undefined, type = "text/plain") => {
    const takeBody = (bytes: number) => {
      asked.push(bytes);
      return here;
    };
    const headers = { "content-type": type, "content-length": "3" };
    const request = new Request(`http://test${path}`, { method: "POST", headers, body: "off" });
    return door.app.fetch(request, { takeBody });
  };
  await door.app.request("/v1/stream/s", {
    method: "PUT",
    headers: { "content-type": "text/plain" },
  });
  const here = new TextEncoder().encode("now");
  assert.is((await send("/v1/stream/s", here)).status, 204);
  assert.is((await send("/v1/stream/s", undefined)).status, 204);
  assert.is(await (await door.app.request("/v1/stream/s?offset=-1")).text(), "nowoff");
  assert.is((await send("/v1/topics/s/records", here)).status, 200);
  const refused = await send(
    "/v1/topics/s/records",
    Uint8Array.of(34, 0xff, 34),
    "application/json",
  );
  assert.is(refused.status, 400);
  assert.match(await refused.text(), "not UTF-8");
  assert.equal(asked, [3, 3, 3, 3]);
  assert.is(door.counters.inflightBytes, 0);
});

test.run();
