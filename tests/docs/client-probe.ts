// A program that writes a record with the client library and reads it again, on the runtime that is tried.

import { createPlatform } from "#platform";
import { createClient } from "../../runtime/client/mod.ts";

const [bootstrap = "", topic = ""] = globalThis.process.argv.slice(2);
const client = createClient({ platform: createPlatform(), bootstrap: [bootstrap] });
const { partition, offset } = await client.producer().send({ topic, value: "from the client" });
const consumer = client.consumer();
await consumer.assign([{ topic, partition, offset }]);
const batch = await consumer.poll(10_000);
console.log(new TextDecoder().decode(batch?.records[0]?.value ?? undefined));
await client.close();
