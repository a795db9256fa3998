// The Storage suite on real files, and what only files have: locks between processes, refusals of the system.

import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openFileStorage } from "../../runtime/storage/file.ts";
import { StorageError } from "../../runtime/storage/storage.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { storageSuite } from "./storage.ts";

storageSuite(test, () => openFileStorage(tempFolder("storage")));

test("lock() names the process that holds the folder", () => {
  const root = tempFolder("lock");
  const start = fs.readFileSync("/proc/1/stat", "utf8").split(") ")[1]?.split(" ")[19];
  fs.writeFileSync(join(root, ".lock"), `1 ${start}`);
  const storage = openFileStorage(root);
  assert.throws(
    () => storage.lock(),
    (error: unknown) =>
      error instanceof StorageError && error.fault === "locked" && /process 1 /.test(error.message),
  );
  assert.is(fs.readFileSync(join(root, ".lock"), "utf8"), `1 ${start}`);
  storage.close();
  assert.ok(fs.existsSync(join(root, ".lock")), "another's lock stays");
});

test("lock() takes over from a process that is gone, also when its number was given away", () => {
  for (const stale of ["999999999 1", `${process.pid} 1`, "1 1", ""]) {
    const root = tempFolder("stale");
    fs.writeFileSync(join(root, ".lock"), stale);
    const storage = openFileStorage(root);
    storage.lock();
    assert.match(fs.readFileSync(join(root, ".lock"), "utf8"), new RegExp(`^${process.pid} \\d+$`));
    storage.close();
    assert.equal(fs.readdirSync(root), []);
  }
});

test("openFileStorage() says what to do when the folder cannot be made", () => {
  const root = tempFolder("file");
  fs.writeFileSync(join(root, "taken"), "");
  assert.throws(
    () => openFileStorage(join(root, "taken")),
    (error: unknown) => error instanceof StorageError && /taken/.test(error.message),
  );
});

test("many files stay usable beyond the descriptors that are kept", async () => {
  const storage = openFileStorage(tempFolder("many"));
  const files = Array.from({ length: 4200 }, (_, i) => {
    const file = storage.open(`f${i}`, { create: true });
    file.append(Uint8Array.of(i & 255));
    return file;
  });
  const into = new Uint8Array(2);
  for (const [i, file] of files.entries()) {
    file.append(Uint8Array.of(7));
    assert.is(file.readSync(into, 0), 2);
    assert.equal([...into], [i & 255, 7]);
  }
  await files[0]!.sync();
  storage.close();
});

test("remove() takes large files, too, and what holds them stays readable", async () => {
  const root = tempFolder("large");
  const storage = openFileStorage(root);
  const bytes = new Uint8Array(5 * 1024 * 1024).fill(9);
  const file = storage.open("d/a.log", { create: true });
  file.append(bytes);
  storage.open("d/b.log", { create: true }).append(bytes);
  storage.remove("d");
  assert.equal(fs.readdirSync(root), []);
  const into = new Uint8Array(3);
  assert.is(await file.read(into, bytes.length - 3), 3);
  assert.equal([...into], [9, 9, 9]);
  storage.close();
});

test("read() gives the same bytes whether they were appended just now or long ago", async () => {
  const root = tempFolder("recent");
  const old = Uint8Array.from({ length: 300_000 }, (_, i) => i & 255);
  fs.writeFileSync(join(root, "a.log"), old);
  const storage = openFileStorage(root);
  const file = storage.open("a.log");
  file.append(old);
  const into = new Uint8Array(700_000);
  assert.is(await file.read(into, 1), 599_999);
  assert.equal(into.subarray(0, 599_999), Uint8Array.from([...old, ...old]).subarray(1));
  assert.is(await file.read(into, 400_000), 200_000);
  assert.equal(into.subarray(0, 200_000), old.subarray(100_000));
  storage.close();
});

test.run();
