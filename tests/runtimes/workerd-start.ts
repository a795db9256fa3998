// Cold starts in the real workerd, measured from outside: a new process and a new object each time, until the first
// append to a new topic is acknowledged. In turns with a Worker that does nothing but write one row, which is what the
// vendor's binary and a new database need by themselves. `npm run proof:edge` prints the figures, `-- --store FILE`
// keeps them.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { tempFolder } from "../support/temp-folder.ts";
import { bundleEdge, WorkerdServer, workerdVersion } from "../support/workerd.ts";

const STARTS = 20;
/** A process that used no time for so long has loaded its Worker. */
const SETTLED_MS = 120;
const SETTLED_LOOKS_MAX = 50;

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
  /** From the open port to it: while the Worker is still being loaded. */
  readonly requestMs: number;
  readonly cpuMs: number;
}

interface ObjectStart {
  /** Of a process that has loaded its Worker, from the request that makes the object to the acknowledgement. */
  readonly objectMs: number;
  readonly objectCpuMs: number;
  /** Until the Worker was loaded. */
  readonly loadCpuMs: number;
}

type Bundle = Awaited<ReturnType<typeof bundleEdge>>;
type Medians = Readonly<Record<string, number>>;

const timberline = await bundleEdge();
const folder = tempFolder("empty");
const entry = join(folder, "entry.js");
writeFileSync(entry, EMPTY_WORKER);
const empty = await bundleEdge(entry);

const [own, bare] = await measure([timberline, empty]);
const figures = {
  command: "npm run proof:edge",
  measuredAt: new Date().toISOString(),
  machine: `${cpus()[0]?.model ?? "?"}, ${cpus().length} cores`,
  workerd: workerdVersion(),
  starts: STARTS,
  timberline: own,
  emptyWorker: bare,
  aboveEmpty: difference(own!, bare!),
};
const text = `${JSON.stringify(figures, null, 2)}\n`;
process.stdout.write(text);
const at = process.argv.indexOf("--store");
const file = process.argv[at + 1];
if (at > 0 && file !== undefined) writeFileSync(file, text);
process.exit(0);

/** In turns, so that what else the machine does meets all of them. */
async function measure(bundles: readonly Bundle[]): Promise<Medians[]> {
  const starts = bundles.map((): (Start & ObjectStart)[] => []);
  for (let i = 0; i < STARTS; i++) {
    for (const [index, bundle] of bundles.entries()) {
      starts[index]!.push({ ...(await coldStart(bundle)), ...(await objectStart(bundle)) });
    }
  }
  return starts.map(medians);
}

function medians(starts: readonly (Start & ObjectStart)[]): Medians {
  const names = Object.keys(starts[0]!) as (keyof Start | keyof ObjectStart)[];
  const median = (name: (typeof names)[number]): number =>
    rounded(starts.map((start) => start[name]).sort((a, b) => a - b)[starts.length >> 1] ?? 0);
  return Object.fromEntries(names.map((name) => [name, median(name)]));
}

function difference(ours: Medians, theirs: Medians): Medians {
  const pairs = Object.entries(ours);
  return Object.fromEntries(pairs.map(([name, ms]) => [name, rounded(ms - (theirs[name] ?? 0))]));
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}

async function coldStart(bundle: Bundle): Promise<Start> {
  const server = await WorkerdServer.start({ bundle, awaitReady: false });
  const startedMs = performance.now();
  await server.portOpen();
  const openMs = performance.now();
  await append(server);
  const doneMs = performance.now();
  const cpuMs = cpuMsOf(server.process.pid);
  await server.kill();
  return { processMs: doneMs - startedMs, requestMs: doneMs - openMs, cpuMs };
}

async function objectStart(bundle: Bundle): Promise<ObjectStart> {
  const server = await WorkerdServer.start({ bundle, awaitReady: false });
  await server.portOpen();
  const { pid } = server.process;
  let loadCpuMs = -1;
  for (let look = 0; look < SETTLED_LOOKS_MAX && loadCpuMs !== cpuMsOf(pid); look++) {
    loadCpuMs = cpuMsOf(pid);
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
  }
  const startedMs = performance.now();
  await append(server);
  const objectMs = performance.now() - startedMs;
  const objectCpuMs = cpuMsOf(pid) - loadCpuMs;
  await server.kill();
  return { objectMs, objectCpuMs, loadCpuMs };
}

async function append(server: WorkerdServer): Promise<void> {
  const answer = await fetch(`${server.http}/v1/topics/first/records`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"value":"record"}',
  });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
}

/** Of all threads, as the scheduler counts it. */
function cpuMsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(tasks).map((task) =>
    Number(readFileSync(join(tasks, task, "schedstat"), "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}
