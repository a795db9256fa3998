// Which topics a path names.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { topicsIn } from "../../../runtime/gateway/request-topics.ts";

const at = (path: string) => topicsIn(`http://gateway${path}`);

test("topicsIn() names the topic of each door's paths", () => {
  const topic = { names: ["orders"], isStream: false };
  assert.equal(at("/v1/topics/orders"), topic);
  assert.equal(at("/v1/topics/orders/partitions/0/records?offset=0"), topic);
  assert.equal(at("/topics/orders/partitions"), topic);
  assert.equal(at("/v3/clusters/abc/topics/orders/records"), topic);
  assert.equal(at("/v1/stream/orders"), { names: ["orders"], isStream: true });
});

test("topicsIn() names both readings of a stream's path that ends with a number", () => {
  assert.equal(at("/v1/stream/orders/3"), { names: ["ds..orders.2F3", "orders"], isStream: true });
});

test("topicsIn() names nothing where nothing is named, or wrongly", () => {
  const nothing = { names: [], isStream: false };
  assert.equal(at("/healthz"), nothing);
  assert.equal(at("/v1/topics"), nothing);
  assert.equal(at("/v1/stream/%E0%A4%A"), nothing);
});

test.run();
