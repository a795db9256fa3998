// A program that opens a log inside itself, on the runtime that is tried.

import { openLog } from "../../runtime/mod.ts";

const log = await openLog({ dataDir: "memory" });
const sent = await log.fetch("/v1/topics/t/records", { method: "POST", body: "from the inside" });
const read = await log.fetch("/v1/topics/t/partitions/0/records");
if (sent.ok) console.log(await read.text());
await log.close();
