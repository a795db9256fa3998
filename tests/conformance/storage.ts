// What every Storage must do. Called with a factory by one short file per implementation.

import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { type Storage, StorageError } from "../../runtime/storage/storage.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array | undefined) => content && new TextDecoder().decode(content);

export function storageSuite(test: Test, open: () => Storage): void {
  fileCases(test, open);
  folderCases(test, open);
  lifeCases(test, open);
}

/** One file: append, read, truncate, sync. */
function fileCases(test: Test, open: () => Storage): void {
  test("append() adds at the end and read() gives what is there", async () => {
    const storage = open();
    const file = storage.open("t-0/a.log", { create: true });
    file.append(bytes("hello "));
    file.append(bytes("world"));
    assert.is(file.size, 11);
    const into = new Uint8Array(8);
    assert.is(await file.read(into, 6), 5);
    assert.is(text(into.subarray(0, 5)), "world");
    assert.is(file.readSync(into, 0), 8);
    assert.is(text(into), "hello wo");
    assert.is(file.readSync(into, 100), 0);
    storage.close();
  });

  test("append() of more than any chunk keeps every byte", () => {
    const storage = open();
    const file = storage.open("big", { create: true });
    const big = Uint8Array.from({ length: 200_001 }, (_, i) => i % 251);
    file.append(big);
    file.append(big);
    const back = new Uint8Array(400_002);
    assert.is(file.readSync(back, 0), back.length);
    assert.equal(back.subarray(0, big.length), big);
    assert.equal(back.subarray(big.length), big);
    storage.close();
  });

  test("open() of an absent file without create throws missing", () => {
    const storage = open();
    assert.throws(
      () => storage.open("nothing"),
      (error: unknown) => error instanceof StorageError && error.fault === "missing",
    );
    storage.close();
  });

  test("truncate() cuts, and appends go on from there", () => {
    const storage = open();
    const file = storage.open("f", { create: true });
    file.append(bytes("abcdef"));
    file.truncate(2);
    file.append(bytes("X"));
    assert.is(text(storage.readFile("f")), "abX");
    storage.close();
  });

  test("sync() resolves with everything appended still there", async () => {
    const storage = open();
    const file = storage.open("deep/er/f", { create: true });
    file.append(bytes("x"));
    await file.sync();
    file.append(bytes("y"));
    await file.sync();
    assert.is(text(storage.readFile("deep/er/f")), "xy");
    storage.close();
  });
}

/** Folders, whole files, renames and removals. */
function folderCases(test: Test, open: () => Storage): void {
  test("writeFile() replaces the whole content and makes folders", () => {
    const storage = open();
    storage.writeFile("a/b", bytes("long content"));
    storage.writeFile("a/b", bytes("short"));
    assert.is(text(storage.readFile("a/b")), "short");
    assert.is(storage.readFile("a/c"), undefined);
    assert.equal(storage.list("a"), [{ name: "b", folder: false }]);
    storage.close();
  });

  test("list() names files and folders in order, nothing for an absent folder", () => {
    const storage = open();
    storage.writeFile("z", bytes("1"));
    storage.writeFile("a/one", bytes("1"));
    storage.writeFile("a/two/three", bytes("1"));
    assert.equal(storage.list(""), [
      { name: "a", folder: true },
      { name: "z", folder: false },
    ]);
    assert.equal(storage.list("a"), [
      { name: "one", folder: false },
      { name: "two", folder: true },
    ]);
    assert.equal(storage.list("nothing"), []);
    storage.close();
  });

  test("rename() of a folder moves its files, and open files follow", async () => {
    const storage = open();
    const file = storage.open("t-0/x", { create: true });
    file.append(bytes("1"));
    storage.rename("t-0", "t-0.gone");
    file.append(bytes("2"));
    assert.is(file.path, "t-0.gone/x");
    assert.is(text(storage.readFile("t-0.gone/x")), "12");
    assert.is(storage.readFile("t-0/x"), undefined);
    storage.close();
  });

  test("rename() of a file replaces what stood there", () => {
    const storage = open();
    storage.writeFile("a", bytes("new"));
    storage.writeFile("b", bytes("old"));
    storage.rename("a", "b");
    assert.is(text(storage.readFile("b")), "new");
    assert.is(storage.readFile("a"), undefined);
    storage.close();
  });
}

/** What ends: removal under a reader, close, locks. */
function lifeCases(test: Test, open: () => Storage): void {
  test("remove() takes files, folders and nothing at all; open readers keep their bytes", () => {
    const storage = open();
    const file = storage.open("d/f", { create: true });
    file.append(bytes("kept"));
    storage.remove("d");
    storage.remove("d");
    const into = new Uint8Array(4);
    assert.is(file.readSync(into, 0), 4);
    assert.is(text(into), "kept");
    assert.equal(storage.list(""), []);
    storage.close();
  });

  test("close() of a file ends its use, twice is fine", () => {
    const storage = open();
    const file = storage.open("f", { create: true });
    file.close();
    file.close();
    assert.throws(() => file.append(bytes("x")));
    storage.close();
  });

  test("lock() keeps a second holder out until close()", () => {
    const storage = open();
    storage.lock();
    storage.close();
    storage.lock();
    storage.close();
  });

  test("space() tells numbers that fit each other", () => {
    const storage = open();
    const { totalBytes, freeBytes } = storage.space();
    assert.ok(totalBytes > 0 && freeBytes > 0 && freeBytes <= totalBytes);
    storage.close();
  });
}
