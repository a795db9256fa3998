// What holds for every route of the HTTP door: one error shape, CORS and origins, HEAD, what is observed.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { call, get, openDoor, post } from "./door.ts";

const records = "/v1/topics/t/records";

test("createHttpApp() answers unknown routes and wrong methods in the error shape", async () => {
  const door = openDoor();
  const absent = await get(door, "/v2/nothing");
  assert.is(absent.status, 404);
  assert.equal(Object.keys(absent.body), ["error"]);
  assert.is(absent.body.error?.code, "RESOURCE_NOT_FOUND");
  assert.is(absent.body.error?.status, 404);
  const wrong = await call(door, "DELETE", "/v1/topics");
  assert.is(wrong.status, 405);
  assert.is(wrong.headers.get("allow"), "GET, POST");
  assert.is(wrong.body.error?.code, "INVALID_REQUEST");
});

test("createHttpApp() hides the text of bugs from clients and reports them", async () => {
  const door = openDoor();
  const { cluster } = door.broker;
  door.broker.cluster = () => {
    throw new TypeError("secret path /var/x");
  };
  const answer = await get(door, "/v1/topics");
  // The door looks at it now and then, also when this test is over.
  door.broker.cluster = cluster;
  assert.is(answer.status, 500);
  assert.is(answer.body.error?.code, "UNKNOWN_SERVER_ERROR");
  assert.not.match(answer.text, "secret");
  assert.is(door.reported.length, 1);
  const well = openDoor();
  await get(well, "/v1/topics/absent");
  assert.is(well.reported.length, 0);
});

test("createHttpApp() keeps CORS off unless origins are listed", async () => {
  const origin = "https://app.example";
  const preflight = { origin, "access-control-request-method": "POST" };
  const closed = openDoor();
  assert.is(
    (await get(closed, "/v1/topics", { origin })).headers.get("access-control-allow-origin"),
    null,
  );
  const open = openDoor({ corsOrigins: [origin] });
  const answer = await get(open, "/v1/topics", { origin });
  assert.is(answer.headers.get("access-control-allow-origin"), origin);
  const other = await get(open, "/v1/topics", { origin: "https://other.example" });
  assert.is(other.headers.get("access-control-allow-origin"), null);
  const allowed = await call(open, "OPTIONS", records, undefined, preflight);
  assert.is(allowed.status, 204);
  assert.is(allowed.headers.get("access-control-allow-origin"), origin);
  assert.is((await post(open, records, "v", { origin })).status, 200);
});

test("createHttpApp() lets no page of another origin write, which CORS alone would not stop", async () => {
  const door = openDoor();
  const foreign = { origin: "https://evil.example", "content-type": "text/plain" };
  const refused = await post(door, records, "v", foreign);
  assert.is(refused.status, 403);
  assert.is(refused.body.error?.status, 403);
  assert.is((await post(door, records, "v", { origin: "null" })).status, 403);
  assert.is(door.broker.appends.length, 0);
  assert.is((await post(door, records, "v", { origin: "http://localhost" })).status, 200);
  assert.is((await get(door, "/v1/topics", foreign)).status, 200);
});

test("createHttpApp() tells the observer the route's pattern, not the path", async () => {
  const seen: string[] = [];
  const door = openDoor({
    observe: ({ method, route, status, durationMs }) => {
      assert.ok(durationMs >= 0);
      seen.push(`${method} ${route} ${status}`);
    },
  });
  await post(door, records, { value: "v" });
  await get(door, "/v1/topics/absent");
  assert.equal(seen, ["POST /v1/topics/:topic/records 200", "GET /v1/topics/:topic 404"]);
});

test("createHttpApp() answers HEAD as GET, without a body", async () => {
  const door = openDoor();
  await post(door, records, { value: "v" });
  const response = await door.app.request("/v1/topics/t/partitions/0/records", { method: "HEAD" });
  assert.is(response.status, 200);
  assert.is(await response.text(), "");
  assert.is(door.broker.unreleased, 0);
});

test.run();
