// A teller of the bank that writes with our own client: see `teller.ts` for what it is told and what it answers.

import { createInterface } from "node:readline";
import { createClient, type Transaction } from "../../../runtime/client/mod.ts";
import { createPlatform } from "../../../runtime/platforms/node.ts";

const [bootstrap = "", transactionalId = "", timeoutMs = ""] = process.argv.slice(2);
const client = createClient({ platform: createPlatform(), bootstrap: [bootstrap] });
const transactionTimeoutMs = Number(timeoutMs);
const producer = client.transactionalProducer({ transactionalId, transactionTimeoutMs });
// The first transaction registers the id, and ends what a teller before left open.
await (await producer.begin()).abort();
console.log("ready");

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
for (let line = await next(); line !== undefined; line = await next()) await transfer(line);
await client.close();

async function transfer(line: string): Promise<void> {
  const [id = "", end, ...legs] = line.split(" ");
  let transaction: Transaction | undefined;
  try {
    const open = await producer.begin();
    transaction = open;
    await Promise.all(legs.map((leg) => open.send(record(id, leg))));
    if (end === "hold") {
      console.log(`held ${id}`);
      if ((await next()) === undefined) return;
    }
  } catch (error) {
    await transaction?.abort().catch(() => {});
    leave(`lost ${id} ${error}`);
  }
  try {
    await (end === "abort" ? transaction.abort() : transaction.commit());
  } catch (error) {
    leave(`${end === "abort" ? "lost" : "unknown"} ${id} ${error}`);
  }
  console.log(`${end === "abort" ? "aborted" : "committed"} ${id}`);
}

function record(id: string, leg: string) {
  const [topic = "", partition, key = "", amount] = leg.split(":");
  return { topic, partition: Number(partition), key, value: `${id} ${amount}` };
}

async function next(): Promise<string | undefined> {
  const { value, done } = await lines.next();
  return done ? undefined : value;
}

function leave(why: string): never {
  console.log(why.replaceAll("\n", " "));
  process.exit(1);
}
