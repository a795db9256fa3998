// The Storage suite in memory, and its way of being full.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { openMemoryStorage } from "../../runtime/storage/memory.ts";
import { StorageError } from "../../runtime/storage/storage.ts";
import { storageSuite } from "./storage.ts";

storageSuite(test, () => openMemoryStorage());

test("append() beyond the size of the disk throws full and leaves the file as it was", () => {
  const storage = openMemoryStorage({ bytesMax: 10 });
  const file = storage.open("f", { create: true });
  file.append(new Uint8Array(8));
  assert.throws(
    () => file.append(new Uint8Array(3)),
    (error: unknown) => error instanceof StorageError && error.fault === "full",
  );
  assert.is(file.size, 8);
  storage.bytesMax = 20;
  file.append(new Uint8Array(3));
  assert.is(file.size, 11);
});

test("lock() refuses a second holder", () => {
  const storage = openMemoryStorage();
  storage.lock();
  assert.throws(() => storage.lock());
});

test.run();
