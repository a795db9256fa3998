// Text to bytes: the same as TextEncoder's, for any text, and never written over by later calls.

import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeUtf8 } from "../../../runtime/http/utf8.ts";

test("encodeUtf8() gives TextEncoder's bytes, which later calls leave alone", () => {
  const encoder = new TextEncoder();
  const texts = [
    "",
    "a",
    "ü",
    "x".repeat(24),
    "x".repeat(25),
    "€".repeat(4096),
    "y".repeat(100_000),
  ];
  for (const text of fc.sample(fc.string({ unit: "binary", maxLength: 200 }), 1000)) {
    texts.push(text);
  }
  const encoded = texts.map((text) => encodeUtf8(text));
  for (const [i, bytes] of encoded.entries()) {
    assert.is(Buffer.compare(bytes, encoder.encode(texts[i]!)), 0, texts[i]!);
  }
});

test.run();
