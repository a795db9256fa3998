// Compaction stopped at every single change of a file, as by a kill: the log opens again and nothing is lost.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { MemoryStorage } from "../../../runtime/storage/memory.ts";
import { type Storage, StorageError, type StorageFile } from "../../../runtime/storage/storage.ts";
import {
  append,
  clean,
  expected,
  generator,
  open,
  type Row,
  randomRows,
  rowsOf,
} from "../../support/compaction-fixture.ts";
import { LogFixture } from "../../support/log-fixture.ts";

/** Lets so many changes of files through, then none: as a process that is gone. */
class MortalStorage implements Storage {
  left: number;
  readonly #inner: Storage;
  constructor(inner: Storage, left: number) {
    this.#inner = inner;
    this.left = left;
  }
  get root() {
    return this.#inner.root;
  }
  change(): void {
    if (this.left-- <= 0) throw new StorageError("failed", "killed");
  }
  list(folder: string) {
    return this.#inner.list(folder);
  }
  open(path: string, options?: { create?: boolean }): StorageFile {
    if (options?.create) this.change();
    const file = this.#inner.open(path, options);
    return new Proxy(file, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (name === "append" || name === "truncate" || name === "sync") this.change();
          return Reflect.apply(value, target, args) as unknown;
        };
      },
    });
  }
  readFile(path: string) {
    return this.#inner.readFile(path);
  }
  writeFile(path: string, bytes: Uint8Array) {
    this.change();
    this.#inner.writeFile(path, bytes);
  }
  rename(from: string, to: string) {
    this.change();
    this.#inner.rename(from, to);
  }
  remove(path: string) {
    this.change();
    this.#inner.remove(path);
  }
  space() {
    return this.#inner.space();
  }
  lock() {}
  close() {}
}

test("a kill at any step of cleaning leaves a log that opens with nothing lost", async () => {
  let survived = 0;
  for (let steps = 0; steps < 400; steps++) {
    const memory = new MemoryStorage(Infinity);
    const mortal = new MortalStorage(memory, Infinity);
    const log = new LogFixture(mortal);
    const partition = open(log);
    const draw = generator(7);
    const rows: Row[] = [];
    for (let i = 0; i < 40; i++) rows.push(...append(log, partition, randomRows(draw, 8)));
    await partition.flush();
    log.folder.checkpoint();
    mortal.left = steps;
    let endOffset: number | undefined;
    try {
      endOffset = (await clean(log, partition))?.endOffset;
      survived++;
    } catch (error) {
      assert.ok(error instanceof Error);
    }
    const again = new LogFixture(memory);
    const reopened = open(again);
    const seen = await rowsOf(reopened);
    const offsets = new Set(rows.map(({ offset, key, value }) => `${offset} ${key} ${value}`));
    for (const { offset, key, value } of seen) {
      assert.ok(
        offsets.has(`${offset} ${key} ${value}`),
        `after ${steps}: a record that never was`,
      );
    }
    const newest = (all: readonly Row[]) => new Map(all.map(({ key, value }) => [key, value]));
    assert.equal(newest(seen), newest(rows), `after ${steps} steps`);
    const order = seen.map(({ offset }) => offset);
    assert.equal(
      order,
      [...order].sort((a, b) => a - b),
    );
    assert.is(reopened.log.endOffset, rows.length, `after ${steps}: the end is where it was`);
    if (endOffset !== undefined) assert.equal(seen, expected(rows, endOffset));
    append(again, reopened, [{ key: "new", value: "1" }]);
    if (survived > 2) return;
  }
  assert.unreachable("cleaning never comes to an end");
});

test.run();
