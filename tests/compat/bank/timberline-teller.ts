// A teller of the bank that writes with our own client: see `teller.ts` for what it is told and what it answers.

import { createClient } from "../../../runtime/client/mod.ts";
import { createPlatform } from "../../../runtime/platforms/node.ts";
import { tell } from "./tell.ts";

const [bootstrap = "", transactionalId = "", timeoutMs = ""] = process.argv.slice(2);
const client = createClient({ platform: createPlatform(), bootstrap: [bootstrap] });
const transactionTimeoutMs = Number(timeoutMs);
const producer = client.transactionalProducer({ transactionalId, transactionTimeoutMs });
await tell({
  begin: () => producer.begin(),
  send: (transaction, legs) => Promise.all(legs.map((leg) => transaction.send(leg))),
  commit: (transaction) => transaction.commit(),
  abort: (transaction) => transaction.abort(),
});
await client.close();
