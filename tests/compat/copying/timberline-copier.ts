// Copies what its group gives it with our own client until it is killed: records and offsets in one transaction,
// fenced by the group's generation (KIP-447), or by the member's epoch in the consumer protocol (KIP-848).

import { createClient } from "../../../runtime/client/mod.ts";
import { createPlatform } from "../../../runtime/platforms/node.ts";

const batchBytesMax = 1_000;
const [bootstrap = "", input = "", output = "", group = "", transactionalId = "", kind = ""] =
  process.argv.slice(2);
const protocol = kind === "consumer" ? "consumer" : "classic";
const client = createClient({ platform: createPlatform(), bootstrap: [bootstrap] });

await client.processExactlyOnce({
  consumer: client.groupConsumer({
    ...{ groupId: group, topics: [input], protocol, offsetReset: "earliest", autoCommitMs: 0 },
    ...(protocol === "classic" ? { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500 } : {}),
    ...{ isolation: "read_committed", partitionBytesMax: batchBytesMax },
  }),
  producer: client.transactionalProducer({ transactionalId, transactionTimeoutMs: 10_000 }),
  process: async ({ partition, records }, transaction) => {
    await transaction.sendBatch(records.map(({ value }) => ({ topic: output, partition, value })));
  },
});
