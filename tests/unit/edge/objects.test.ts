// objects.ts: who an object is by its name, and which object an address or a path leads to.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  brokerCount,
  brokerOfUrl,
  metadataPlace,
  type ObjectNamespace,
  type ObjectStub,
  objectAt,
  roleOf,
} from "../../../runtime/edge/objects.ts";

/** Stubs that are told apart by the name they were asked for. */
const stubs = new Map<string, ObjectStub>();
const objects: ObjectNamespace = {
  idFromName: (name) => ({ name, toString: () => name }),
  get(id) {
    const name = String(id);
    const stub = stubs.get(name) ?? ({} as ObjectStub);
    stubs.set(name, stub);
    return stub;
  },
};
const first = { host: "log.example", port: 9092 };

test("roleOf() takes the variable first, then the name", () => {
  assert.equal(roleOf("log", undefined), { kind: "alone" });
  assert.equal(roleOf("broker-2", "3"), { kind: "broker", id: 2, count: 3 });
  assert.equal(roleOf("metadata", "3"), { kind: "metadata" });
});

test("brokerCount() refuses what is no number of brokers", () => {
  assert.is(brokerCount("64"), 64);
  for (const wrong of ["0", "65", "2.5", "many", ""]) {
    assert.throws(() => brokerCount(wrong), /BROKERS: .* whole number from 1 to 64/);
  }
});

test("objectAt() knows brokers by the first one's port and up, and the metadata", () => {
  const at = (host: string, port: number) => objectAt(objects, { host, port }, first, 3);
  assert.is(at("log.example", 9094), stubs.get("broker-2"));
  assert.is(at(metadataPlace.host, metadataPlace.port), stubs.get("metadata"));
  assert.is(at("log.example", 9095), undefined);
  assert.is(at("log.example", 9091), undefined);
  assert.is(at("elsewhere.example", 9092), undefined);
});

test("brokerOfUrl() spreads paths, keeps each, and obeys ?broker= only for a broker's own", () => {
  const of = (path: string) => brokerOfUrl(new URL(`http://log.example${path}`), 3);
  const paths = Array.from(
    { length: 30 },
    (_, index) => `/v1/topics/t/partitions/${index}/records`,
  );
  assert.is(new Set(paths.map(of)).size, 3);
  assert.equal(
    paths.map(of),
    paths.map((path) => of(`${path}?offset=1`)),
  );
  assert.is(of("/metrics?broker=2"), 2);
  assert.is(of("/metrics?broker=3"), of("/metrics"));
  assert.is(of("/v1/kafka?broker=2"), of("/v1/kafka"));
});

test.run();
