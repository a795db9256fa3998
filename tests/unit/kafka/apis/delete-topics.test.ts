// DeleteTopics: names, ids, conflicts between them, errors by version.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { handleDeleteTopics } from "../../../../runtime/kafka/apis/delete-topics.ts";
import { zeroUuid } from "../../../../runtime/kafka/uuid.ts";
import { idOf, topicRecord } from "../fakes.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

const broker = () =>
  new AdminBroker().add(topicRecord("a")).add(topicRecord("b")).add(topicRecord("c"));
const byName = (name: string) => ({ name, topicId: zeroUuid });
const byId = (topicId: string) => ({ name: null, topicId });

async function remove(
  admin: AdminBroker,
  topics: { name: string | null; topicId: string }[],
  version = 6,
) {
  const request =
    version < 6
      ? { topics: [], topicNames: topics.map(({ name }) => name ?? ""), timeoutMs: 1000 }
      : { topics, topicNames: [], timeoutMs: 1000 };
  const context = contextOf(admin, version);
  const { responses } = await answered(handleDeleteTopics(request, context));
  return responses.map(({ name, topicId, errorCode }) => [name, topicId, errorCode]);
}

test("handleDeleteTopics() deletes by name and by id, and names both in the answer", async () => {
  const admin = broker();
  assert.equal(await remove(admin, [byName("a"), byId(idOf("b"))]), [
    ["a", idOf("a"), 0],
    ["b", idOf("b"), 0],
  ]);
  assert.equal([...admin.topics.keys()], ["c"]);
});

test("handleDeleteTopics() tells unknown names from unknown ids", async () => {
  assert.equal(await remove(broker(), [byName("x"), byId(idOf("x"))]), [
    ["x", zeroUuid, 3],
    [null, idOf("x"), 100],
  ]);
});

test("handleDeleteTopics() deletes nothing that is asked for twice", async () => {
  const admin = broker();
  const asked = [byName("a"), byName("a"), byId(idOf("b")), byId(idOf("b"))];
  assert.equal(await remove(admin, asked), [
    ["a", zeroUuid, 42],
    [null, idOf("b"), 42],
  ]);
  assert.equal(await remove(admin, [byId(idOf("c")), byName("c")]), [
    [null, idOf("c"), 42],
    ["c", zeroUuid, 42],
  ]);
  assert.is(admin.topics.size, 3);
});

test("handleDeleteTopics() needs a name or an id, and not both", async () => {
  const admin = broker();
  const asked = [{ name: "a", topicId: idOf("a") }, byId(zeroUuid)];
  assert.equal(
    (await remove(admin, asked)).map(([, , code]) => code),
    [42, 42],
  );
  assert.is(admin.topics.size, 3);
});

test("handleDeleteTopics() takes plain names up to v5", async () => {
  const admin = broker();
  const answers = await remove(admin, [byName("a"), byName("x")], 1);
  assert.equal(
    answers.map(([name, , code]) => [name, code]),
    [
      ["a", 0],
      ["x", 3],
    ],
  );
});

test("handleDeleteTopics() says that deletion is disabled as the version can", async () => {
  const codeIn = async (version: number) => {
    const admin = broker().refuse("a", "TOPIC_DELETION_DISABLED");
    return (await remove(admin, [byName("a")], version))[0]?.[2];
  };
  assert.is(await codeIn(6), 73);
  assert.is(await codeIn(3), 73);
  assert.is(await codeIn(2), 42);
});

test.run();
