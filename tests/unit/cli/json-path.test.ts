// JsonFinder against JSON.parse, and on broken texts.

import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { JsonFinder, parseJsonPath } from "../../../runtime/cli/json-path.ts";

const utf8 = new TextEncoder();
const find = (json: string, path: string): string | null | undefined => {
  const finder = new JsonFinder(parseJsonPath(path));
  const found = finder.find(utf8.encode(json));
  if (found !== "found") return found === "missing" ? undefined : `<${found}>`;
  const bytes = finder.bytes();
  return bytes === null ? null : new TextDecoder().decode(bytes);
};

test("find() gives strings without quotes, other values as their JSON text", () => {
  const json =
    ' { "date": 978307200000, "origin" : "SFO","o":{"a":[1,{"b":"x,]}\\"" }]}, "n":null } ';
  assert.is(find(json, ".origin"), "SFO");
  assert.is(find(json, "origin"), "SFO");
  assert.is(find(json, ".date"), "978307200000");
  assert.is(find(json, ".o.a[1].b"), 'x,]}"');
  assert.is(find(json, ".o.a[0]"), "1");
  assert.is(find(json, ".o.a"), '[1,{"b":"x,]}\\"" }]');
  assert.is(find(json, ".n"), null);
  assert.is(find(json, ".absent"), undefined);
  assert.is(find(json, ".o.a[7]"), undefined);
  assert.is(find(json, ".date.deeper"), undefined);
});

test("find() is not fooled by the name inside a value or a nested object", () => {
  assert.is(
    find('{"x":"\\"origin\\":\\"BAD\\"","y":{"origin":"BAD"},"origin":"OK"}', ".origin"),
    "OK",
  );
  assert.is(find('{"\\u006frigin":"OK"}', ".origin"), "OK");
  assert.is(find('{"origin":"\\uac00\\n"}', ".origin"), "가\n");
});

test("find() calls broken JSON malformed", () => {
  for (const bad of [
    '{"a"',
    '{"a" 1}',
    '{"a":1',
    "{a:1}",
    '{"x":1 "a":2}',
    '{"a":"no end',
    "",
    "{",
  ]) {
    const result = find(bad, ".a");
    assert.ok(
      result === "<malformed>" || (bad === '{"a":1' && result === "1"),
      `${bad} → ${result}`,
    );
  }
});

test("parseJsonPath() refuses what is not a path", () => {
  assert.throws(() => parseJsonPath(".a..b"), /not understood/);
  assert.throws(() => parseJsonPath(".a[x]"), /not understood/);
});

test("find() agrees with JSON.parse on random objects", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue()), (object) => {
      for (const indent of [0, 2]) {
        const json = JSON.stringify(object, null, indent);
        for (const [name, value] of Object.entries(object)) {
          const actual = find(json, `.${JSON.stringify(name)}`);
          const expected = JSON.parse(json)[name];
          if (typeof value === "string") assert.is(actual, expected);
          else if (value === null) assert.is(actual, null);
          else assert.equal(JSON.parse(actual as string), expected);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test.run();
