// Pages on their way to readers: a bounded sum, smaller ones while it is full, and nothing held by who has gone.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { LargeAnswers, pageAnswer } from "../../../runtime/http/large-answers.ts";

const limits = { pagesBytesMax: 64_000, pageBytesMin: 1_000 };
const never = () => new AbortController().signal;

test("take() gives what is asked for while there is room, then less, never nothing", () => {
  const pages = new LargeAnswers(limits);
  const taken = Array.from({ length: 40 }, () => pages.take(16_000));
  assert.is(taken[0]?.bytesMax, 16_000);
  assert.is(taken[1]?.bytesMax, 12_000);
  assert.is(taken[39]?.bytesMax, 1_000);
  for (const lease of [...taken, ...taken]) lease.release();
  assert.is(pages.take(16_000).bytesMax, 16_000);
});

test("pageAnswer() holds a large page until it is read, or its reader has gone", async () => {
  const pages = new LargeAnswers(limits);
  const text = JSON.stringify("é".repeat(300_000));
  const open = (signal = never) => pageAnswer(text, pages.take(64_000), signal);
  const isFree = () => pages.take(1_000_000).bytesMax === 16_000;

  const read = open();
  assert.is(await read.text(), text);
  assert.is(read.headers.get("content-length"), String(new TextEncoder().encode(text).length));
  const cancelled = open();
  await cancelled.body?.cancel();
  const gone = new AbortController();
  open(() => gone.signal);
  gone.abort();
  assert.ok(isFree());
});

test("pageAnswer() hands a small page over at once", async () => {
  const pages = new LargeAnswers(limits);
  const answer = pageAnswer("{}", pages.take(64_000), never);
  assert.is(pages.take(1_000_000).bytesMax, 16_000);
  assert.is(await answer.text(), "{}");
});

test.run();
