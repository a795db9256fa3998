// DescribeTopicPartitions: pages, cursors, limits.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { handleDescribeTopicPartitions } from "../../../../runtime/kafka/apis/describe-topic-partitions.ts";
import { topicRecord } from "../fakes.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

interface Cursor {
  readonly topicName: string;
  readonly partitionIndex: number;
}

const at = (topicName: string, partitionIndex: number): Cursor => ({ topicName, partitionIndex });

async function describe(
  names: string[],
  { limit = 2000, cursor = null }: { limit?: number; cursor?: Cursor | null } = {},
) {
  const broker = new AdminBroker()
    .add(topicRecord("b", 3))
    .add(topicRecord("a", 3))
    .add(topicRecord("large", 2500));
  const request = {
    topics: names.map((name) => ({ name })),
    responsePartitionLimit: limit,
    cursor,
  };
  const handled = handleDescribeTopicPartitions(request, contextOf(broker, 0));
  const { topics, nextCursor } = await answered(handled);
  const pages = topics.map(({ name, errorCode, partitions }) =>
    errorCode === 0
      ? [name, ...partitions.map(({ partitionIndex }) => partitionIndex)]
      : [name, `error ${errorCode}`],
  );
  return { pages, nextCursor };
}

test("handleDescribeTopicPartitions() sorts topics and answers each once", async () => {
  assert.equal(await describe(["b", "x", "a", "b", "."]), {
    pages: [
      [".", "error 17"],
      ["a", 0, 1, 2],
      ["b", 0, 1, 2],
      ["x", "error 3"],
    ],
    nextCursor: null,
  });
});

test("handleDescribeTopicPartitions() says where the next page begins", async () => {
  assert.equal(await describe(["a", "b"], { limit: 2 }), {
    pages: [["a", 0, 1]],
    nextCursor: at("a", 2),
  });
  assert.equal(await describe(["a", "b"], { limit: 3 }), {
    pages: [["a", 0, 1, 2]],
    nextCursor: at("b", 0),
  });
  assert.equal(await describe(["a", "b"], { limit: 2, cursor: at("a", 2) }), {
    pages: [
      ["a", 2],
      ["b", 0],
    ],
    nextCursor: at("b", 1),
  });
  assert.equal(await describe(["a", "b"], { limit: 2, cursor: at("b", 1) }), {
    pages: [["b", 1, 2]],
    nextCursor: null,
  });
});

test("handleDescribeTopicPartitions() puts at least one and at most 2,000 partitions on a page", async () => {
  assert.equal((await describe(["a"], { limit: 0 })).pages, [["a", 0]]);
  const { pages, nextCursor } = await describe(["large"], { limit: 1_000_000 });
  assert.is(pages[0]?.length, 2001);
  assert.equal(nextCursor, at("large", 2000));
});

test("handleDescribeTopicPartitions() walks all topics by their cursors, each partition once", async () => {
  const seen: unknown[] = [];
  let cursor: Cursor | null = null;
  for (let page = 0; page < 100; page++) {
    const answer: { pages: unknown[][]; nextCursor: Cursor | null } = await describe([], {
      limit: 700,
      cursor,
    });
    for (const [name, ...partitions] of answer.pages) {
      for (const partition of partitions) seen.push(`${name} ${partition}`);
    }
    cursor = answer.nextCursor;
    if (cursor === null) break;
  }
  assert.is(cursor, null);
  assert.is(seen.length, 2506);
  assert.is(new Set(seen).size, 2506);
});

test("handleDescribeTopicPartitions() bears a cursor whose topic is gone", async () => {
  const { pages } = await describe([], { limit: 3, cursor: at("aa", 2) });
  assert.equal(pages, [["b", 0, 1, 2]]);
  assert.equal((await describe(["a"], { cursor: at("a", 9) })).pages, [["a"]]);
});

test("handleDescribeTopicPartitions() refuses a cursor that points at nothing asked for", async () => {
  const refused = [["a", "error 42"]];
  assert.equal((await describe(["a"], { cursor: at("a", -1) })).pages, refused);
  assert.equal((await describe(["a"], { cursor: at("b", 0) })).pages, refused);
});

test.run();
