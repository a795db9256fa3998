// Cold starts in the real workerd, measured from outside: a new process and a new object each time, until the first
// append to a new topic is acknowledged; beside it the same for a Worker that does nothing but write one row, which is
// what the vendor's binary needs by itself. `npm run proof:edge` prints the figures, `-- --store FILE` keeps them.

import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { tempFolder } from "../support/temp-folder.ts";
import { bundleEdge, WorkerdServer, workerdVersion } from "../support/workerd.ts";

const STARTS = 20;
const TICK_MS = 10;

/** An object that stores one row for each request. */
const EMPTY_WORKER = `
export class TimberlineLog {
  constructor(ctx) { this.storage = ctx.storage; }
  async fetch() {
    this.storage.sql.exec("CREATE TABLE IF NOT EXISTS rows (bytes BLOB)");
    this.storage.sql.exec("INSERT INTO rows VALUES (?)", new Uint8Array(100));
    await this.storage.sync();
    return new Response("stored");
  }
}
export default { fetch: (request, env) => env.LOG.get(env.LOG.idFromName("log")).fetch(request) };
`;

interface Start {
  /** From the start of the process to the acknowledgement. */
  readonly processMs: number;
  /** From the open port to it: what a request waits for where the process is there already. */
  readonly requestMs: number;
  readonly cpuMs: number;
}

const timberline = await bundleEdge();
const folder = tempFolder("empty");
const entry = join(folder, "entry.js");
writeFileSync(entry, EMPTY_WORKER);
const empty = await bundleEdge(entry);

const figures = {
  command: "npm run proof:edge",
  measuredAt: new Date().toISOString(),
  machine: `${cpus()[0]?.model ?? "?"}, ${cpus().length} cores`,
  workerd: workerdVersion(),
  starts: STARTS,
  timberline: await measure(timberline),
  emptyWorker: await measure(empty),
};
const text = `${JSON.stringify(figures, null, 2)}\n`;
process.stdout.write(text);
const at = process.argv.indexOf("--store");
const file = process.argv[at + 1];
if (at > 0 && file !== undefined) writeFileSync(file, text);
process.exit(0);

async function measure(bundle: Awaited<ReturnType<typeof bundleEdge>>): Promise<Start> {
  const starts: Start[] = [];
  for (let i = 0; i < STARTS; i++) starts.push(await coldStart(bundle));
  const median = (of: (start: Start) => number): number =>
    Math.round((starts.map(of).sort((a, b) => a - b)[STARTS / 2] ?? 0) * 10) / 10;
  return {
    processMs: median(({ processMs }) => processMs),
    requestMs: median(({ requestMs }) => requestMs),
    cpuMs: median(({ cpuMs }) => cpuMs),
  };
}

async function coldStart(bundle: Awaited<ReturnType<typeof bundleEdge>>): Promise<Start> {
  const server = await WorkerdServer.start({ bundle, awaitReady: false });
  const startedMs = performance.now();
  await server.portOpen();
  const openMs = performance.now();
  const answer = await fetch(`${server.http}/v1/topics/first/records`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"value":"record"}',
  });
  await answer.arrayBuffer();
  const doneMs = performance.now();
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  const cpuMs = cpuMsOf(server.process.pid);
  await server.kill();
  return { processMs: doneMs - startedMs, requestMs: doneMs - openMs, cpuMs };
}

/** User and system time, in the kernel's ticks. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
