// VersionedMap against Map: the same answers, and old versions that never change.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { VersionedMap } from "../../../cluster/versioned-map.ts";

interface Item {
  readonly value: number;
}

test("VersionedMap agrees with Map over many random changes, and old versions stay", () => {
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % below;
  };
  const model = new Map<number, Item>();
  let map = VersionedMap.of<number, Item>();
  const held: { map: VersionedMap<number, Item>; entries: [number, Item][] }[] = [];
  for (let step = 0; step < 3000; step++) {
    const key = random(200);
    if (random(3) === 0) {
      model.delete(key);
      map = map.without(key);
    } else {
      model.set(key, { value: step });
      map = map.with(key, model.get(key)!);
    }
    assert.is(map.size, model.size);
    assert.is(map.get(key), model.get(key));
    if (step % 250 === 0) held.push({ map, entries: sorted(model) });
  }
  assert.equal(sorted(map), sorted(model));
  for (const each of held) assert.equal(sorted(each.map), each.entries);
});

test("VersionedMap iterates like a Map", () => {
  const map = VersionedMap.of(new Map([["a", { value: 1 }]])).with("b", { value: 2 });
  assert.equal([...map.keys()], ["a", "b"]);
  assert.equal([...map.values()], [{ value: 1 }, { value: 2 }]);
  assert.equal(new Map(map).get("b"), { value: 2 });
  const visited: string[] = [];
  map.forEach((item, key, whole) => {
    visited.push(`${key}${item.value}${whole === map}`);
  });
  assert.equal(visited, ["a1true", "b2true"]);
  assert.is(map.without("x"), map);
});

function sorted(map: ReadonlyMap<number, Item>): [number, Item][] {
  return [...map].sort(([a], [b]) => a - b);
}

test.run();
