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
import { bundleEdge, freePorts, workerdBinary } from "../support/workerd.ts";
import { blocksOf } from "./blocks.ts";
import { differenceOf } from "./shown-output.ts";

const deployment = "runtime/deploy/workerd";
const page = readFileSync(join(projectFolder, "runtime/docs/edge-runtime.md"), "utf8");
const blocks = blocksOf(page);
const serve = /^npx workerd serve dist\/runtime\/deploy\/workerd\/config\.capnp (.*)$/m;
const [http = 0, kafka = 0] = await freePorts(2);
const home = tempFolder("edge-page");
const objects = join(home, "timberline-objects");
const kcat = findTool("kcat");
let workerd: TestProcess | undefined;

test.after(async () => {
  await workerd?.stop("SIGKILL");
});

test("the page says how workerd is started on the packed configuration", async () => {
  const flags = blocks.map(({ text }) => serve.exec(text)?.[1]).find((found) => found);
  assert.is(flags, "--directory-path=disk=timberline-objects");
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

function start(folder: string): void {
  workerd = new TestProcess(
    [
      ...[workerdBinary(), "serve", join(folder, "config.capnp")],
      `--directory-path=disk=${objects}`,
      `--socket-addr=http=127.0.0.1:${http}`,
      `--socket-addr=kafka=127.0.0.1:${kafka}`,
    ],
    { env: { TIMBERLINE_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${kafka}` } },
  );
}

async function untilAnswered(): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    try {
      if ((await fetch(`http://127.0.0.1:${http}/readyz`)).ok) return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error(`not ready:\n${workerd?.stderr}`);
}

function here(text: string): string {
  return text
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${http}`)
    .replaceAll("127.0.0.1:9092", `127.0.0.1:${kafka}`);
}

test.run();
