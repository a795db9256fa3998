// A cluster under load gets a fourth broker and gives one away again, by the commands that people type: three
// processes with a nats-server, `npm run proof:growth`. `--mib N` sets how much there is to move; `--store` keeps the
// figures in `results/growth.json`.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { commandLine } from "../cli/command-line.ts";
import { machine, versions } from "../compat/machine.ts";
import { natsServerProgram, TestNats } from "../support/nats-server.ts";
import { TestProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { TestServer } from "../support/server.ts";
import { type PhaseFigures, SteadyLoad } from "./growth-load.ts";

const topic = "growing";
const partitions = 12;
const perSecond = 500;
const quietMs = 10_000;
const warmUpMs = 5_000;
const before = "three brokers, and a fourth that is idle";
const commandMsMax = 300_000;
/** Of produce latency, while data moves, to what it was before. */
const latencyRatioMax = 2;

const mib = Number(process.argv[process.argv.indexOf("--mib") + 1] ?? 0) || 200;
const isStored = process.argv.includes("--store");

const program = await natsServerProgram();
if (program === undefined) process.exit(1);
const nats = await TestNats.start({ program });
const servers: TestServer[] = [];
const phases: PhaseFigures[] = [];
let failed = false;
try {
  for (const id of [1, 2, 3]) servers.push(await start(id));
  failed = !(await run());
} finally {
  await Promise.all(servers.map((server) => server.stop().catch(() => server.kill())));
  await nats.stop();
}
process.exit(failed ? 1 : 0);

function start(id: number): Promise<TestServer> {
  const args = ["--broker-id", String(id), "--nats", nats.urls.join(), "--flush", "os"];
  return TestServer.start({ args });
}

async function run(): Promise<boolean> {
  const bootstrap = servers.map((server) => server.bootstrap);
  const client = createClient({ platform: createPlatform(), bootstrap });
  const admin = client.admin();
  const configs = { "min.insync.replicas": "2" };
  await admin.createTopic({ name: topic, partitions, replicationFactor: 3, configs });
  const producer = client.producer({ lingerMs: 5, batchBytes: 1 << 18 });
  const value = new Uint8Array(8_000);
  for (let sent = 0; sent < (mib << 20) / value.length; sent += partitions) {
    await producer.ready();
    const records = Array.from({ length: partitions }, (_, partition) => {
      return { topic, partition, value };
    });
    await producer.sendBatch(records);
  }
  await producer.close();

  const load = new SteadyLoad(client, topic, { partitions, perSecond, valueBytes: 1_000 });
  load.start();
  await pause(warmUpMs);
  await phase(load, "three brokers", () => pause(quietMs));
  servers.push(await start(4));
  await pause(warmUpMs);
  await phase(load, before, () => pause(quietMs));
  await phase(load, "cluster add 4", () => cluster("add", "4", "--yes"));
  await cluster("brokers");
  await phase(load, "four brokers", () => pause(quietMs));
  await phase(load, "cluster decommission 2", () => cluster("decommission", "2", "--yes"));
  const [second] = servers.splice(1, 1);
  await phase(load, "broker 2 stops", () => second!.stop());
  await cluster("decommission", "2", "--yes");
  await cluster("brokers");
  await cluster("status", "--check");
  await load.stop();
  const checked = await load.verify();
  await client.close();
  return judge(checked);
}

async function phase(load: SteadyLoad, name: string, work: () => Promise<unknown>): Promise<void> {
  const figures = await load.during(name, work);
  phases.push(figures);
  console.log(JSON.stringify(figures));
}

async function cluster(...args: string[]): Promise<void> {
  const bootstrap = servers.map((server) => server.bootstrap).join();
  const child = new TestProcess(commandLine(["cluster", ...args, "-b", bootstrap]));
  const { code, stdout, stderr } = await child.end(commandMsMax);
  console.log(`timberline cluster ${args.join(" ")}\n${stdout}${stderr}`);
  if (code !== 0) throw new Error(`cluster ${args.join(" ")} ended with ${code}`);
}

function judge(checked: { acknowledged: number; lost: number; twice: number }): boolean {
  const p99Ms = (name: string) => phases.find(({ phase: found }) => found === name)?.p99Ms ?? 0;
  const ratio = Math.round((p99Ms("cluster add 4") / p99Ms(before)) * 100) / 100;
  const sends = phases.reduce((sum, each) => sum + each.failed, 0);
  const result = { ...checked, failed: sends, p99RatioWhileAdding: ratio, latencyRatioMax };
  console.log(JSON.stringify(result));
  if (isStored) {
    const folder = join(projectFolder, "tests/cluster/results");
    mkdirSync(folder, { recursive: true });
    const command = `npm run proof:growth -- --mib ${mib} --store`;
    const stored = { command, machine: machine(), versions: versions([]), mib, phases, result };
    writeFileSync(join(folder, "growth.json"), `${JSON.stringify(stored, null, 2)}\n`);
  }
  const { lost, twice } = checked;
  return lost === 0 && twice === 0 && sends === 0 && ratio <= latencyRatioMax;
}
