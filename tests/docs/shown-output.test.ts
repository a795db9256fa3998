// The rules by which pages are read and outputs compared: too lenient, and a wrong page would pass.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Block, blocksOf, commandsOf } from "./blocks.ts";
import { differenceOf } from "./shown-output.ts";

const isSame = (shown: string, printed: string) => differenceOf(shown, printed) === undefined;

test("differenceOf() lets times, ids and durations differ, and nothing else", () => {
  assert.ok(isSame("at 1767225600000 in 26ms", "at 1795459949932 in 3.5s"));
  assert.ok(isSame("id qZXv5pdpWBOin6bMnytT4g x", "id YfmSVCz6qrORRbvwZOAxmQ x"));
  assert.ok(isSame("2026-01-01T00:00:00Z 1", "2026-11-23T18:55:20.780Z   1\n"));
  assert.not(isSame("offset 1", "offset 2"));
  assert.not(isSame("2 records in 26ms", "3 records in 26ms"));
  assert.not(isSame("a 1767225600000", "a 12"));
});

test("differenceOf() finds lines too many, too few and in another order", () => {
  assert.not(isSame("a\nb", "a"));
  assert.not(isSame("a", "a\nb"));
  assert.not(isSame("a\nb", "b\na"));
  assert.not(isSame("a", ""));
});

test("differenceOf() takes an ellipsis for text in a line and for lines, only where it stands", () => {
  assert.ok(isSame("a … d", "a b c d"));
  assert.not(isSame("a … d", "a b c e"));
  assert.not(isSame("a.…", "abc"), "other letters are themselves");
  assert.ok(isSame("a\n…\nd", "a\nb\nc\nd"));
  assert.ok(isSame("a\n…", "a\nb"));
  assert.not(isSame("a\n…\nd", "a\nb"));
  assert.not(isSame("a\n…\nc", "b\nc"));
});

test("blocksOf() gives language, words, place and whether text stands between", () => {
  const page = "# T\n\n```sh follow\na\nb\n```\n\n```text\nc\n```\nword\n```js\n```\n";
  assert.equal(
    blocksOf(page).map(({ language, words, text, line, isRightAfter }) => [
      language,
      words.join(),
      text,
      line,
      isRightAfter,
    ]),
    [
      ["sh", "follow", "a\nb", 3, false],
      ["text", "", "c", 8, true],
      ["js", "", "", 12, false],
    ],
  );
  assert.throws(() => blocksOf("```sh\na"));
});

test("commandsOf() joins continued lines and open quotes, and leaves comments out", () => {
  const block = { text: "# no\na \\\n  b\nc 'x\ny' \"it's\"\n\nd", line: 10 } as Block;
  assert.equal(commandsOf(block), [
    { text: "a \\\n  b", line: 12 },
    { text: "c 'x\ny' \"it's\"", line: 14 },
    { text: "d", line: 17 },
  ]);
  assert.throws(() => commandsOf({ text: "a 'b", line: 1 } as Block));
});

test.run();
