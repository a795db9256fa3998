// Memory of pages: taken by the next one when the answer has left, and not a moment before.

import type { Context } from "hono";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PageMemory } from "../../../runtime/http/page-memory.ts";

const bytes = 1024 * 1024;

function contextWith(env: object): Context {
  return { env } as unknown as Context;
}

test("PageMemory gives memory again once the answer has left", () => {
  const pages = new PageMemory();
  const sent: (() => void)[] = [];
  const context = contextWith({ whenSent: (done: () => void) => sent.push(done) });
  const first = pages.take(context, bytes);
  assert.ok(first.length >= bytes);
  assert.is.not(pages.take(context, bytes), first);
  sent[0]!();
  assert.is(pages.take(context, bytes), first);
});

test("PageMemory gives fresh memory where nobody tells, for small pages and for very large ones", () => {
  const pages = new PageMemory();
  const counted: unknown[] = [];
  const context = contextWith({ whenSent: (done: () => void) => counted.push(done) });
  assert.is(pages.take(contextWith({}), bytes).length, bytes);
  assert.is(pages.take(context, 100).length, 100);
  assert.is(pages.take(context, 10 * bytes).length, 10 * bytes);
  assert.is(counted.length, 0);
});

test.run();
