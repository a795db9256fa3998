// Expressions over topic names: RE2's syntax, JavaScript's answers, and no way to keep the broker busy.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { TopicPattern } from "../../../runtime/groups/topic-pattern.ts";

const same = [
  "flights",
  "flights.*",
  "(a|b|cd)+e?",
  "[a-c]x{2,3}",
  "[^a-c]+",
  "a.c",
  "^ab$",
  "a|",
  "a{2}",
  "a{1,}b",
  "(?:ab)*?c",
  "\\d+\\.\\w",
  "[\\d-]+",
  "x[]a]y",
  "(a*)*b",
];
const names = [
  "",
  "flights",
  "flights-2",
  "a",
  "aa",
  "aab",
  "ab",
  "abe",
  "cdcde",
  "axx",
  "bxxx",
  "cxxxx",
  "abc",
  "a.c",
  "a\nc",
  "ababc",
  "c",
  "12.x",
  "1-2",
  "x]y",
  "xay",
  "xyz",
];

test("matches() agrees with JavaScript's own engine on whole names", () => {
  for (const text of same) {
    const ours = new TopicPattern(text);
    // An unescaped "]" first in a class is a literal here and an empty class there.
    const theirs = new RegExp(`^(?:${text.replace("[]a]", "[\\]a]")})$`);
    for (const name of names) assert.is(ours.matches(name), theirs.test(name), `${text} ${name}`);
  }
});

test("matches() knows what only RE2 has", () => {
  assert.is(new TopicPattern("(?i)FLIGHTS").matches("flights"), true);
  assert.is(new TopicPattern("a(?i:B)c").matches("aBc"), true);
  assert.is(new TopicPattern("a(?i:B)c").matches("abC"), false);
  assert.is(new TopicPattern("[[:alpha:]_]+").matches("a_b"), true);
  assert.is(new TopicPattern("\\Qa.b\\E.").matches("a.bc"), true);
  assert.is(new TopicPattern("\\Qa.b\\E.").matches("axbc"), false);
  assert.is(new TopicPattern("\\x41").matches("A"), true);
});

test("TopicPattern refuses what is not an expression, or too large a one", () => {
  const bad = ["(", ")", "[a", "*", "a**", "a{3,2}", "a{1001}", "\\", "\\y", "(?=a)", "[b-a]"];
  const large = ["a".repeat(1001), "((a{100}){100}){100}", "(".repeat(300)];
  for (const text of [...bad, ...large]) {
    assert.throws(() => new TopicPattern(text), /cannot be used/, text);
  }
});

test("matches() is not kept busy by expressions that backtracking engines fear", () => {
  const pattern = new TopicPattern("((a+)+)+$|(a|aa)+b|(.*)*x");
  const startedMs = Date.now();
  assert.is(pattern.matches(`${"a".repeat(240)}!`), false);
  assert.ok(Date.now() - startedMs < 1000);
});

test.run();
