// MetadataLog in one process: the conformance suite with and without files, and what files add: the log is there
// again after a restart, at every byte of a crash.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { MetadataLog } from "../../cluster/metadata-log.ts";
import { SharedLogStore } from "../../cluster/shared-log.ts";
import { FakeClusterFiles } from "../support/cluster-files.ts";
import { metadataLogSuite } from "./metadata-log.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

metadataLogSuite("shared", () => new SharedLogStore());
metadataLogSuite("shared with files", () => new SharedLogStore(new FakeClusterFiles()));

async function contents(log: MetadataLog): Promise<{ texts: string[]; last: number }> {
  const texts: string[] = [];
  return new Promise((resolve) => {
    log.follow(0, {
      entry: ({ bytes }) => void texts.push(new TextDecoder().decode(bytes)),
      caughtUp: (last) => resolve({ texts, last }),
      reset: () => undefined,
    });
  });
}

test("SharedLogStore finds acknowledged entries again after a crash at any byte", async () => {
  const files = new FakeClusterFiles();
  const log = new SharedLogStore(files).open();
  const lengths: number[] = [];
  for (let last = 0; last < 5; last++) {
    await log.append({ expected: last, id: `${last}`, bytes: bytesOf(`entry\n${last}`) });
    lengths.push(files.journal.length);
  }
  files.syncedBytes = 0;
  for (let bytes = 0; bytes <= files.journal.length; bytes++) {
    const found = await contents(new SharedLogStore(files.crash(bytes)).open());
    const known = lengths.filter((length) => length <= bytes).length;
    assert.is(found.last, known);
    assert.equal(
      found.texts,
      Array.from({ length: known }, (_, index) => `entry\n${index}`),
    );
  }
});

test("SharedLogStore keeps sequence and entries through a trim, a crash in it, and a restart", async () => {
  for (const stop of ["", "snapshot", "truncate"]) {
    const files = new FakeClusterFiles();
    const store = new SharedLogStore(files);
    const log = store.open();
    for (let last = 0; last < 5; last++) {
      await log.append({ expected: last, id: `${last}`, bytes: bytesOf(`${last}`) });
    }
    files.before = (step) => {
      if (step === stop) throw new Error("power lost");
    };
    await log.trim(4).catch(() => undefined);
    const again = new SharedLogStore(files.crash(0)).open();
    const found = await contents(again);
    assert.is(found.last, 5, stop);
    assert.equal(found.texts.slice(-2), ["3", "4"], stop);
    assert.is(await again.append({ expected: 5, id: "5", bytes: bytesOf("5") }), 6);
  }
});

test.run();
