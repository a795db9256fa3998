// Leaders and followers together: what is acknowledged survives, what is not is cut, whoever leads.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { codeOf } from "../../support/refusal.ts";
import { ReplicaScene, topic } from "./replica-scene.ts";

const place = { topic, partition: 0 };

async function scene(configs: Record<string, string> = {}, topicConfigs = {}) {
  const made = new ReplicaScene(configs);
  await made.start(1, 2, 3);
  await made.createTopic([1, 2, 3], topicConfigs);
  return made;
}

test("acks=all answers when all in-sync replicas have it, acks=1 at once", async () => {
  const s = await scene();
  s.held.add(3);
  s.append(1, "a", 1);
  const all = s.append(1, "b");
  assert.ok(all instanceof Promise);
  let isDone = false;
  void all.then(() => {
    isDone = true;
  });
  await s.settle();
  assert.not(isDone, "replica 3 does not have it");
  s.letThrough();
  await s.settle();
  assert.ok(isDone);
  assert.equal(s.offsets(1), [0, 2, 2]);
  assert.is(await s.bytesOf(2), await s.bytesOf(1));
  assert.is(await s.bytesOf(3), await s.bytesOf(1));
});

test("acks=all says in time that replicas have not confirmed", async () => {
  const s = await scene();
  s.held.add(2).add(3);
  const code = codeOf(() => s.append(1, "a"));
  await s.clock.advance(1_100);
  assert.is(await code, "REQUEST_TIMED_OUT");
});

test("acks=all is refused below min.insync.replicas before it is written, and told of it after", async () => {
  const s = await scene({}, { "min.insync.replicas": "2" });
  s.kill(3);
  s.held.add(2);
  const waiting = codeOf(() => s.append(1, "a"));
  await s.settle();
  s.plane.fence(2);
  assert.is(await codeOf(() => s.append(1, "b")), "NOT_ENOUGH_REPLICAS");
  assert.equal(s.offsets(1), [0, 0, 1], "b is not in the log, and a is not known to be safe");
  await s.clock.advance(1_100);
  assert.is(await waiting, "NOT_ENOUGH_REPLICAS_AFTER_APPEND");
  s.append(1, "c", 1);
  assert.equal(s.offsets(1), [0, 0, 2], "below min.insync.replicas the high watermark stands");
});

test("a leader that loses its leadership tells those who wait", async () => {
  const s = await scene();
  s.held.add(2).add(3);
  const waiting = codeOf(() => s.append(1, "a"));
  await s.settle();
  s.plane.fence(1);
  assert.is(await waiting, "NOT_LEADER_OR_FOLLOWER");
  assert.is(await codeOf(() => s.append(1, "b")), "NOT_LEADER_OR_FOLLOWER");
});

test("an old leader's unconfirmed tail is cut when it follows the new one", async () => {
  const s = await scene();
  await both(s, s.append(1, "a"));
  s.held.add(2).add(3);
  s.append(1, "lost", 1);
  s.append(1, "lost too", 1);
  await s.settle();
  s.plane.fence(1);
  s.letThrough();
  await s.settle();
  assert.is(s.record.leader, 2);
  assert.equal(s.offsets(1), [0, 1, 1], "cut as soon as it heard of the new leader");
  await both(s, s.append(2, "b"));
  s.plane.unfence(1);
  await s.settle();
  assert.equal([...s.record.isr].sort(), [1, 2, 3], "in sync again");
  for (const id of [1, 3]) assert.is(await s.bytesOf(id), await s.bytesOf(2), `replica ${id}`);
});

test("a new leader marks where it began before it serves: followers with later records cut", async () => {
  const s = await scene();
  await both(s, s.append(1, "a"));
  s.plane.fence(1);
  await s.settle();
  const end = s.broker(2).epochEndOffset({ ...place, leaderEpoch: 0, currentLeaderEpoch: -1 });
  assert.equal([end.leaderEpoch, end.endOffset], [0, 1], "without a record of its own");
});

test("latest offsets are unknown until the new leader knows what was committed", async () => {
  const s = await scene();
  await both(s, s.append(1, "a"));
  s.held.add(3);
  const late = s.append(1, "b");
  void codeOf(() => late);
  await s.settle();
  s.plane.fence(1);
  await s.settle();
  const latest = () =>
    s.broker(2).listOffsets({
      ...place,
      spec: "latest",
      currentLeaderEpoch: -1,
      isolation: "read_uncommitted",
    });
  assert.is((await latest()).error?.code, "OFFSET_NOT_AVAILABLE");
  s.letThrough();
  await s.settle();
  assert.is((await latest()).offset, 2);
});

test("an answer of an earlier leader epoch is dropped, even of the same leader", async () => {
  const s = await scene();
  await both(s, s.append(1, "a"));
  s.held.add(2);
  s.append(1, "b", 1);
  await s.settle();
  const asked = s.fetches.length;
  // The same leader, a new epoch: one of the replicas goes by a reassignment.
  await s.plane.open(9).reassign([{ ...place, replicas: [1, 2] }]);
  await s.settle();
  assert.is(s.record.leader, 1);
  assert.is(s.record.leaderEpoch, 1);
  s.letThrough();
  await s.settle();
  const mine = s.fetches.slice(asked).filter(({ from }) => from === 2);
  assert.is(mine[0]?.request.items[0]?.leaderEpoch, 1, "it asks anew, in the new epoch");
  assert.is(mine[0]?.request.items[0]?.fetchOffset, 1, "and has taken nothing of the old answer");
  assert.is(await s.bytesOf(2), await s.bytesOf(1));
});

test("a follower's high watermark is never beyond what it has, and never goes back", async () => {
  const s = await scene();
  for (const value of ["a", "b", "c"]) await both(s, s.append(1, value));
  await s.clock.advance(600);
  assert.equal(s.offsets(2), [0, 3, 3]);
  s.plane.fence(1);
  await s.settle();
  assert.ok(s.offsets(2)[1]! >= 3);
});

test("followers hear of a high watermark that moved before the long poll ends, at no cost when idle", async () => {
  const s = await scene();
  await both(s, s.append(1, "a"));
  for (let ms = 0; ms < 20; ms++) await s.clock.advance(1);
  assert.equal(s.offsets(2), [0, 1, 1]);
  assert.equal(s.offsets(3), [0, 1, 1]);
  const asked = s.fetches.length;
  await s.clock.advance(400);
  assert.is(s.fetches.length, asked, "the next fetches wait for records again");
});

test("a restarted follower begins at the high watermark of its checkpoint, not at its log's end", async () => {
  const s = await scene();
  await both(s, s.append(1, "a"));
  await s.clock.advance(600);
  s.logs.get(3)!.folder.checkpoint();
  await both(s, s.append(1, "b"));
  s.kill(3);
  await s.settle();
  const folder = s.logs.get(3)!;
  folder.reopen();
  const reopened = folder.folder.open({
    ...place,
    topicId: s.plane.image.topics.get(topic)!.id,
    config: s.broker(1).describePartition(place) && folder.partition({}, "other").config,
    decompressedBytesMax: 1 << 20,
    isNew: false,
    isReplicated: true,
  });
  assert.equal([reopened.highWatermark, reopened.log.endOffset], [1, 2]);
});

test("a follower that comes back catches up, and joins with its new incarnation", async () => {
  const s = await scene();
  await both(s, s.append(1, "a"));
  s.kill(3);
  await both(s, s.append(1, "b"));
  assert.equal(s.record.isr, [1, 2]);
  await s.start(3);
  await s.settle();
  assert.equal([...s.record.isr].sort(), [1, 2, 3]);
  assert.is(await s.bytesOf(3), await s.bytesOf(1));
  const wish = s.plane.isrChanges.at(-1)!;
  assert.is(wish.isr.find(({ id }) => id === 3)?.epoch, s.plane.image.brokers.get(3)?.epoch);
});

test("a follower that lags for too long leaves, and joins again when it has caught up", async () => {
  const s = await scene({ "replica.lag.time.max.ms": "1000" });
  await both(s, s.append(1, "a"));
  s.held.add(3);
  void codeOf(() => s.append(1, "b"));
  await s.clock.advance(2_000);
  assert.equal(s.record.isr, [1, 2]);
  assert.is(s.offsets(1)[1], 2, "those that are left have it");
  s.letThrough();
  await s.settle();
  assert.equal([...s.record.isr].sort(), [1, 2, 3]);
});

test("deleted records are deleted on followers, and a new copy begins at the leader's start", async () => {
  const s = await scene();
  for (const value of ["a", "b", "c"]) await both(s, s.append(1, value));
  await s.broker(1).deleteRecords({ ...place, offset: 2 });
  await s.clock.advance(600);
  assert.is(s.offsets(2)[0], 2);
  await s.start(4);
  await s.plane.open(9).reassign([{ ...place, replicas: [1, 2, 4] }]);
  await s.clock.advance(100);
  assert.equal([...s.record.isr].sort(), [1, 2, 4]);
  assert.equal(s.offsets(4), [2, 3, 3]);
  assert.not(
    s.logs.get(3)!.folder.partitions.has(`${topic}-0`),
    "and the replica that left has none",
  );
});

test("under flush=group a follower reports only what it has synced", async () => {
  const s = await scene({}, { "timberline.flush": "group" });
  await both(s, s.append(1, "a"));
  for (const { request } of s.fetches) {
    for (const { fetchOffset } of request.items) assert.ok(fetchOffset <= 1);
  }
  const { log } = s.logs.get(2)!.folder.partitions.get(`${topic}-0`)!;
  assert.is(log.recoveryPoint, 1, "acknowledged: synced on the follower");
});

test("consumers read from a follower below its high watermark, and are sent to the one in their rack", async () => {
  const s = await scene();
  await both(s, s.append(1, "a"));
  await s.clock.advance(600);
  const ask = (id: number, rack: string, offset = 0) =>
    s.broker(id).fetch({
      partitions: [{ ...place, offset, bytesMax: 1 << 20, currentLeaderEpoch: -1 }],
      waitMsMax: 0,
      bytesMin: 0,
      bytesMax: 1 << 20,
      isolation: "read_uncommitted",
      rack,
    });
  const [one] = await ask(2, "");
  assert.is(one?.error, null);
  assert.ok((one?.records.length ?? 0) > 0);
  assert.is((await ask(2, "", 5))[0]?.error?.code, "OFFSET_NOT_AVAILABLE");
  assert.is((await ask(1, "r"))[0]?.preferredReadReplica, undefined);
  await s.plane.open(9).register({ id: 2, host: "h", port: 2, rack: "r" });
  await s.clock.advance(1_000);
  assert.is((await ask(1, "r"))[0]?.preferredReadReplica, s.record.isr.includes(2) ? 2 : undefined);
});

/** An acknowledgement takes a turn or two. */
async function both(s: ReplicaScene, appended: unknown): Promise<void> {
  await s.settle();
  await appended;
}

test.run();
