// Objects found in a stream of bytes.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { JsonValues } from "../../../../runtime/http/confluent/json-values.ts";

const text = '{"a":"}{\\"[","b":[1,{"c":"ü\\\\"}]} \r\n{}{"d":{"e":null}}';
const wanted = ['{"a":"}{\\"[","b":[1,{"c":"ü\\\\"}]}', "{}", '{"d":{"e":null}}'];

function take(values: JsonValues, bytes: Uint8Array, step: number): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    const chunk = bytes.slice(at, at + step);
    const texts = values.add(chunk).map((each) => new TextDecoder().decode(each));
    found.push(...texts);
    // As a sender that uses its memory again.
    chunk.fill(0);
  }
  return found;
}

test("JsonValues finds the same objects however the bytes are cut", () => {
  const bytes = new TextEncoder().encode(text);
  for (let step = 1; step <= bytes.length; step++) {
    const values = new JsonValues(1000);
    assert.equal(take(values, bytes, step), wanted);
    values.end();
  }
});

test("JsonValues refuses what is no object, what is too long, and what does not end", () => {
  const add = (given: string, bytesMax = 100) => {
    const values = new JsonValues(bytesMax);
    values.add(new TextEncoder().encode(given));
    values.end();
  };
  for (const given of ["1", "}", "{} x", '"text"', "null"]) assert.throws(() => add(given), "JSON");
  assert.throws(() => add('{"a":'), "ended inside a record");
  assert.throws(() => add('{"a":"0123456789"}', 10), "more than 10 bytes");
  assert.throws(() => add('{"a":"0123456789', 10), "more than 10 bytes");
});

test.run();
