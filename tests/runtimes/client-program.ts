// A program that uses the client library, run by the runtime under test: a group consumer reads, a transaction writes
// and commits how far it read. Prints what a reader of committed records sees, and what the group has committed.

import { createPlatform } from "#platform";
import { createClient } from "../../runtime/client/mod.ts";

const [bootstrap = "", from = "", to = "", limit = ""] = globalThis.process.argv.slice(2);
const client = createClient({ platform: createPlatform(), bootstrap: [bootstrap] });
const decoder = new TextDecoder();
const consumer = client.groupConsumer({
  groupId: `${from}-group`,
  topics: [from],
  protocol: "consumer",
  offsetReset: "earliest",
  autoCommitMs: 0,
});
const producer = client.transactionalProducer({ transactionalId: `${from}-id` });
await producer
  .transaction(async (transaction) => {
    await transaction.send({ topic: to, value: "never seen" });
    throw new Error("aborted on purpose");
  })
  .catch(() => {});
const processing = client.processExactlyOnce({
  consumer,
  producer,
  async process({ records }, transaction) {
    for (const { value } of records) {
      await transaction.send({ topic: to, value: `${decoder.decode(value ?? undefined)}!` });
    }
  },
});

const seen: string[] = [];
const reader = client.consumer({ isolation: "read_committed" });
await reader.assign([{ topic: to, partition: 0, offset: 0 }]);
for await (const { value } of reader) {
  seen.push(decoder.decode(value ?? undefined));
  if (seen.length === Number(limit)) break;
}
await consumer.stop();
await processing;
const committed = (await client.groups().offsets(`${from}-group`)).map(({ offset }) => offset);
await client.close();
console.log(JSON.stringify({ seen, committed }));
