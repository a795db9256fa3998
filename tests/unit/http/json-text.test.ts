// JSON values keep their own text: on samples, and against JSON.parse on random values.

import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compactJson, recordTexts } from "../../../runtime/http/json-text.ts";

test("compactJson() drops white space outside strings and nothing else", () => {
  assert.is(
    compactJson(' { "a b" : [ 1.0 , "\\" x" ] ,\n"c":-0e+1 } '),
    '{"a b":[1.0,"\\" x"],"c":-0e+1}',
  );
  assert.is(compactJson('"\\\\"  '), '"\\\\"');
  const anyJson = fc.tuple(fc.jsonValue(), fc.constantFrom(undefined, 2, "\t"));
  fc.assert(
    fc.property(anyJson, ([value, indent]) => {
      const compact = compactJson(JSON.stringify(value, null, indent));
      assert.is(compact, JSON.stringify(value));
    }),
  );
});

test("recordTexts() finds the members' own text in one record, a list, or {records}", () => {
  const record = '{"value": {"n": 1.50, "s": "}]"} , "key":7,"x":"a","value2":[1,[2]],"t":true}';
  const expected = [
    ["value", '{"n": 1.50, "s": "}]"}'],
    ["key", "7"],
    ["x", '"a"'],
    ["value2", "[1,[2]]"],
    ["t", "true"],
  ];
  assert.equal([...recordTexts(` ${record}\n`)[0]!], expected);
  for (const text of [`[${record}, 5,${record}]`, `{"records" : [ ${record},"s",${record} ]}`]) {
    const texts = recordTexts(text);
    assert.equal([...texts[0]!], expected);
    assert.is(texts[1]!.size, 0);
    assert.equal([...texts[2]!], expected);
  }
  assert.equal(recordTexts("[]"), []);
});

test("recordTexts() agrees with JSON.parse on any list of objects", () => {
  const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }));
  fc.assert(
    fc.property(objects, fc.constantFrom(undefined, 1), (list, indent) => {
      const text = JSON.stringify(list, null, indent);
      const parsed = JSON.parse(text) as Record<string, unknown>[];
      for (const [i, texts] of recordTexts(text).entries()) {
        assert.equal([...texts.keys()].sort(), Object.keys(parsed[i]!).sort());
        for (const [name, own] of texts) assert.equal(JSON.parse(own), parsed[i]![name]);
      }
    }),
  );
});

test.run();
