// Whose folder it is, which format it has, and whether it was left in order.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import {
  folderFormat,
  markCleanShutdown,
  readCheckpoints,
  readIdentity,
  takeCleanShutdown,
  writeIdentity,
  writeRecoveryPoints,
} from "../../../runtime/log/folder-identity.ts";
import { MemoryStorage } from "../../../runtime/storage/memory.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array | undefined) => new TextDecoder().decode(content);
const mine = { clusterId: "c", brokerId: 3, newDirectoryId: () => "d" };

test("writeIdentity() is what readIdentity() reads, and is written once", () => {
  const storage = new MemoryStorage(Infinity);
  assert.equal(readIdentity(storage), {
    clusterId: undefined,
    brokerId: undefined,
    isForeign: true,
  });
  writeIdentity(storage, mine);
  assert.equal(readIdentity(storage), { clusterId: "c", brokerId: 3, isForeign: false });
  const before = text(storage.readFile("meta.properties"));
  writeIdentity(storage, { ...mine, newDirectoryId: () => "other" });
  assert.is(text(storage.readFile("meta.properties")), before, "the directory id stays");
});

test("a folder of Kafka's is foreign, and keeps what Kafka wrote when it becomes ours", () => {
  const storage = new MemoryStorage(Infinity);
  const kafka = "#\n#Mon\nnode.id=1\nversion=1\ndirectory.id=x\ncluster.id=k\nother=kept\n";
  storage.writeFile("meta.properties", bytes(kafka));
  assert.equal(readIdentity(storage), { clusterId: "k", brokerId: 1, isForeign: true });
  writeIdentity(storage, { ...mine, clusterId: "k", brokerId: 1 });
  const now = text(storage.readFile("meta.properties"));
  for (const line of ["directory.id=x", "cluster.id=k", "other=kept", "timberline.format=1"]) {
    assert.ok(now.includes(line), line);
  }
  assert.not(readIdentity(storage).isForeign);
});

test("a folder of a newer format is refused in one sentence that says what to do", () => {
  for (const format of [String(folderFormat + 1), "abc"]) {
    const storage = new MemoryStorage(Infinity);
    storage.writeFile("meta.properties", bytes(`version=1\ntimberline.format=${format}\n`));
    assert.throws(
      () => readIdentity(storage),
      (error: unknown) =>
        error instanceof BrokerError &&
        /format .* this version reads up to 1: start it with the newer Timberline/.test(
          error.message,
        ),
    );
  }
});

test("the clean-shutdown marker counts once", () => {
  const storage = new MemoryStorage(Infinity);
  assert.not(takeCleanShutdown(storage));
  markCleanShutdown(storage, 7);
  assert.is(text(storage.readFile(".kafka_cleanshutdown")), '{"version":0,"brokerEpoch":7}');
  assert.ok(takeCleanShutdown(storage));
  assert.not(takeCleanShutdown(storage));
});

test("checkpoints that cannot be read count as absent", () => {
  const storage = new MemoryStorage(Infinity);
  writeRecoveryPoints(storage, [{ topic: "a-b", partition: 2, offset: 9 }]);
  assert.equal([...readCheckpoints(storage).recoveryPoints], [["a-b-2", 9]]);
  storage.writeFile("recovery-point-offset-checkpoint", bytes("0\n5\n"));
  assert.is(readCheckpoints(storage).recoveryPoints.size, 0);
});

test.run();
