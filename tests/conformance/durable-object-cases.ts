// What only the storage of a Durable Object has: rows of a bounded length, appends that are undone as a whole, an
// owner, a limit, and files that outlive the process. Run inside workerd by `durable-object-worker.ts`.

import * as assert from "uvu/assert";
import type { ObjectStorage } from "../../runtime/platforms/workerd.ts";
import { openDurableObjectStorage } from "../../runtime/storage/durable-object.ts";
import { chunkBytes, mergeBytesMax } from "../../runtime/storage/durable-object-content.ts";
import { StorageError } from "../../runtime/storage/storage.ts";

type Run = (storage: ObjectStorage) => void | Promise<void>;

/** Asked for by the test file itself, before and after kill -9. */
export const WRITE_CASE = "writes what must outlive the process";
export const READ_CASE = "reads what was written before the process was killed";

const lastingSizes = [1, mergeBytesMax - 1, 3 * chunkBytes + 5, 7];

export const durableObjectCases: readonly [string, Run][] = [
  [
    "append() fills rows of at most chunkBytes, and adds small pieces to a short last row",
    (storage) => {
      const file = openDurableObjectStorage(storage).open("a", { create: true });
      for (let i = 0; i < 300; i++) file.append(pattern(100, i));
      const small = rowLengths(storage);
      assert.ok(small.length < 10, `${small.length} rows for 300 appends`);
      assert.ok(Math.max(...small) < mergeBytesMax + 100);
      file.append(pattern(5 * chunkBytes, 1));
      assert.is(Math.max(...rowLengths(storage)), chunkBytes);
      assert.is(file.size, 30_000 + 5 * chunkBytes);
    },
  ],
  [
    "read() gives any range of a file of many rows, before and after it is opened again",
    (storage) => {
      const whole = pattern(3 * chunkBytes + 777, 5);
      let file = openDurableObjectStorage(storage).open("a", { create: true });
      let at = 0;
      for (const size of [10, 5000, 1, chunkBytes, 300, whole.length]) {
        file.append(whole.subarray(at, at + size));
        at = Math.min(whole.length, at + size);
      }
      for (let turn = 0; turn < 2; turn++) {
        for (const [from, count] of [
          [0, whole.length],
          [9, 5],
          [chunkBytes - 1, 2],
          [5011, chunkBytes + 1],
          [whole.length - 1, 100],
        ] as const) {
          const into = new Uint8Array(count);
          const read = file.readSync(into, from);
          assert.equal(into.subarray(0, read), whole.slice(from, from + count), `${from}+${count}`);
        }
        file = openDurableObjectStorage(storage).open("a");
      }
    },
  ],
  [
    "truncate() inside a row, and at its ends, leaves what appends go on from",
    (storage) => {
      const whole = pattern(3 * chunkBytes, 9);
      for (const size of [0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 2 * chunkBytes + 9]) {
        const file = openDurableObjectStorage(storage).open(`t${size}`, { create: true });
        file.append(whole);
        file.truncate(size);
        file.append(pattern(50, 3));
        const expected = [...whole.subarray(0, size), ...pattern(50, 3)];
        const back = openDurableObjectStorage(storage).readFile(`t${size}`);
        assert.equal(back, Uint8Array.from(expected), `cut at ${size}`);
      }
    },
  ],
  [
    "an append that fails in its midst leaves the file as it was",
    (storage) => {
      const faulty = failingAfter(storage);
      const file = openDurableObjectStorage(faulty).open("a", { create: true });
      file.append(pattern(100, 1));
      faulty.insertsLeft = 2;
      assert.throws(
        () => file.append(pattern(4 * chunkBytes, 2)),
        (error: unknown) => error instanceof StorageError && error.fault === "full",
      );
      faulty.insertsLeft = Infinity;
      assert.is(file.size, 100);
      file.append(pattern(10, 3));
      const expected = Uint8Array.from([...pattern(100, 1), ...pattern(10, 3)]);
      assert.equal(openDurableObjectStorage(storage).readFile("a"), expected);
      faulty.insertsLeft = 1;
      const replacing = openDurableObjectStorage(faulty);
      assert.throws(() => replacing.writeFile("a", pattern(4 * chunkBytes, 4)));
      assert.equal(replacing.readFile("a"), expected, "the old content, whole");
    },
  ],
  [
    "bytesMax refuses what does not fit, and takes it when something was removed",
    (storage) => {
      const full = openDurableObjectStorage(storage, { bytesMax: 1000 });
      full.writeFile("old", pattern(600, 1));
      const file = full.open("new", { create: true });
      assert.throws(
        () => file.append(pattern(401, 1)),
        (error: unknown) => error instanceof StorageError && error.fault === "full",
      );
      assert.is(file.size, 0);
      file.append(pattern(400, 1));
      assert.equal(full.space(), { totalBytes: 1000, freeBytes: 0 });
      full.remove("old");
      assert.is(full.space().freeBytes, 600);
      file.append(pattern(600, 1));
    },
  ],
  [
    "appends wait in memory, are read from there, and are in rows after sync() or a change of folders",
    async (storage) => {
      const later: (() => void)[] = [];
      const opened = openDurableObjectStorage(storage, { soon: (run) => void later.push(run) });
      const file = opened.open("a", { create: true });
      file.append(pattern(5000, 1));
      await file.sync();
      file.append(pattern(100, 2));
      file.append(pattern(50, 3));
      const expected = [...pattern(5000, 1), ...pattern(100, 2), ...pattern(50, 3)];
      assert.is(openDurableObjectStorage(storage).open("a").size, 5000);
      for (const [from, count] of [
        [0, 6000],
        [4990, 30],
        [5090, 20],
        [5149, 1],
        [5150, 1],
      ] as const) {
        const into = new Uint8Array(count);
        const read = file.readSync(into, from);
        assert.equal([...into.subarray(0, read)], expected.slice(from, from + count), `${from}`);
      }
      opened.rename("a", "b");
      assert.equal(openDurableObjectStorage(storage).readFile("b"), Uint8Array.from(expected));
      file.append(pattern(10, 4));
      assert.is(later.length, 3, "asked once for each time that something began to wait");
      later.at(-1)?.();
      assert.is(openDurableObjectStorage(storage).open("b").size, 5160);
      file.append(pattern(7, 5));
      file.truncate(5155);
      assert.is(openDurableObjectStorage(storage).open("b").size, 5155);
    },
  ],
  [
    "lock() by another owner ends the writes of the first",
    (storage) => {
      const first = openDurableObjectStorage(storage, { owner: "first" });
      first.lock();
      const file = first.open("a", { create: true });
      file.append(pattern(10, 1));
      openDurableObjectStorage(storage, { owner: "second" }).lock();
      for (const change of [
        () => file.append(pattern(1, 1)),
        () => file.truncate(0),
        () => first.writeFile("b", pattern(1, 1)),
        () => first.rename("a", "c"),
        () => first.remove("a"),
      ]) {
        assert.throws(change, /another process/);
      }
      assert.equal(openDurableObjectStorage(storage).readFile("a"), pattern(10, 1));
    },
  ],
  [
    "remove() frees the rows of a file when its last reader is gone, or at the next start",
    (storage) => {
      const opened = openDurableObjectStorage(storage);
      const file = opened.open("a", { create: true });
      file.append(pattern(1000, 1));
      opened.remove("a");
      assert.is(rowLengths(storage).length, 1);
      file.close();
      assert.equal(rowLengths(storage), []);
      opened.open("b", { create: true }).append(pattern(1000, 1));
      opened.remove("b");
      openDurableObjectStorage(storage);
      assert.equal(rowLengths(storage), [], "left by a process that was killed");
    },
  ],
  [
    WRITE_CASE,
    async (storage) => {
      const opened = openDurableObjectStorage(storage);
      const file = opened.open("kept/file", { create: true });
      for (const size of lastingSizes) file.append(pattern(size, size));
      opened.writeFile("whole", pattern(10, 1));
      opened.rename("whole", "renamed");
      await file.sync();
    },
  ],
  [
    READ_CASE,
    (storage) => {
      const opened = openDurableObjectStorage(storage);
      const expected = lastingSizes.flatMap((size) => [...pattern(size, size)]);
      assert.equal(opened.readFile("kept/file"), Uint8Array.from(expected));
      assert.equal(opened.readFile("renamed"), pattern(10, 1));
      assert.equal(
        opened.list("").map(({ name }) => name),
        ["kept", "renamed"],
      );
    },
  ],
];

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17) & 255);
}

function rowLengths({ sql }: ObjectStorage): number[] {
  const rows = sql.exec<{ bytes: number }>("SELECT length(bytes) AS bytes FROM timberline_chunks");
  return rows.toArray().map(({ bytes }) => bytes);
}

/** The same storage, that is full after some more inserts. */
function failingAfter(storage: ObjectStorage): ObjectStorage & { insertsLeft: number } {
  const { sql } = storage;
  const faulty = {
    insertsLeft: Infinity,
    sql: {
      exec: ((query, ...bindings) => {
        if (query.startsWith("INSERT") && faulty.insertsLeft-- <= 0) {
          throw new Error("database or disk is full: SQLITE_FULL");
        }
        return sql.exec(query, ...bindings);
      }) as ObjectStorage["sql"]["exec"],
      get databaseSize() {
        return sql.databaseSize;
      },
    },
    transactionSync: <T>(run: () => T) => storage.transactionSync(run),
    sync: () => storage.sync(),
    getAlarm: () => storage.getAlarm(),
    setAlarm: (atMs: number) => storage.setAlarm(atMs),
  };
  return faulty;
}
