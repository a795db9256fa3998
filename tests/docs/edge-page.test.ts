// The manual's page on edge runtimes: what it tells a reader to run on a machine of their own is run, in order, with
// the vendor's binary on the configuration that the package brings, and what it shows is what comes.
// Time limit: 90 s

import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { listModules } from "../../runtime/edge/build.ts";
import { findTool } from "../support/missing-tool.ts";
import { runProcess, TestProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { bundleEdge, freePortRow, freePorts, workerdBinary } from "../support/workerd.ts";
import { blocksOf } from "./blocks.ts";
import { differenceOf } from "./shown-output.ts";

const deployment = "runtime/deploy/workerd";
const page = readFileSync(join(projectFolder, "runtime/docs/edge-runtime.md"), "utf8");
const blocks = blocksOf(page);
const serve = /^npx workerd serve dist\/runtime\/deploy\/workerd\/(\w+)\.capnp (.*)$/m;
const flags = "--directory-path=disk=timberline-objects";
const [http = 0, kafka = 0] = await freePorts(2);
const TURNS_MAX = 500;
const TURN_MS = 20;
const BROKERS = 3;
const home = tempFolder("edge-page");
const objects = join(home, "timberline-objects");
const kcat = findTool("kcat");
let workerd: TestProcess | undefined;

test.after(async () => {
  await workerd?.stop("SIGKILL");
});

test("the page says how workerd is started on the packed configurations", async () => {
  const asked = blocks.flatMap(({ text }) => serve.exec(text)?.slice(1) ?? []);
  assert.equal(asked, ["config", flags, "brokers", flags]);
  const { folder, modules } = await bundleEdge();
  cpSync(join(projectFolder, deployment), folder, { recursive: true });
  listModules(folder, modules);
  mkdirSync(objects);
  start(folder);
  await untilAnswered();
  await workerd?.stop("SIGKILL");
  start(folder);
  await untilAnswered();
});

for (const [index, { text, line }] of blocks.entries()) {
  if (!/^(curl|kcat) /.test(text) || (text.startsWith("kcat") && kcat === undefined)) continue;
  test(`edge-runtime.md:${line} does what it says`, async () => {
    const end = await runProcess(["bash", "-c", here(text)], { cwd: home });
    assert.is(end.code, 0, end.stderr);
    const shown = blocks[index + 1];
    assert.ok(shown?.isRightAfter, "the page shows what comes of it");
    assert.is(differenceOf(shown.text, end.stdout), undefined);
  });
}

test("the page's brokers are three that know each other", async () => {
  await workerd?.stop("SIGKILL");
  const { folder, modules } = await bundleEdge();
  cpSync(join(projectFolder, deployment), folder, { recursive: true });
  listModules(folder, modules);
  const ports = await freePortRow(BROKERS);
  const sockets = ports.map((port, index) => `kafka-${index}=127.0.0.1:${port}`);
  startOn(join(folder, "brokers.capnp"), join(home, "brokers"), sockets, ports[0] ?? 0);
  let fenced = [true];
  for (let turn = 0; turn < TURNS_MAX && fenced.filter((each) => !each).length < BROKERS; turn++) {
    await untilAnswered();
    const answer = await fetch(`http://127.0.0.1:${http}/v1/cluster`);
    const { brokers } = (await answer.json()) as { brokers: { fenced: boolean }[] };
    fenced = brokers.map((broker) => broker.fenced);
    await new Promise((resolve) => setTimeout(resolve, TURN_MS));
  }
  assert.equal(fenced, [false, false, false]);
});

function start(folder: string): void {
  startOn(join(folder, "config.capnp"), objects, [`kafka=127.0.0.1:${kafka}`], kafka);
}

function startOn(config: string, disk: string, sockets: readonly string[], port: number): void {
  mkdirSync(disk, { recursive: true });
  const addresses = [`http=127.0.0.1:${http}`, ...sockets];
  workerd = new TestProcess(
    [
      ...[workerdBinary(), "serve", config, `--directory-path=disk=${disk}`],
      ...addresses.map((address) => `--socket-addr=${address}`),
    ],
    {
      env: {
        TIMBERLINE_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
        KAFKA_PORT: String(port),
      },
    },
  );
}

async function untilAnswered(): Promise<void> {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const answer = await fetch(`http://127.0.0.1:${http}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, TURN_MS));
  }
  throw new Error(`not ready:\n${workerd?.stderr}`);
}

function here(text: string): string {
  return text
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${http}`)
    .replaceAll("127.0.0.1:9092", `127.0.0.1:${kafka}`);
}

test.run();
