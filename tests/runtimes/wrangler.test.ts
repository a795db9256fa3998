// The configuration of the Worker that the package brings, checked by the vendor's own tool in a dry run: it bundles,
// names bindings and sizes, and uploads nothing.
// Time limit: 170 s

import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { sayMissing } from "../support/missing-tool.ts";
import { runProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { installTool, newestNode } from "../support/runtimes.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { bundleEdge } from "../support/workerd.ts";

const DRY_RUN_MS_MAX = 60_000;

const node = await newestNode();
const wrangler = await installTool("wrangler", "bin/wrangler.js");

if (node === undefined || wrangler === undefined) sayMissing("wrangler");
else {
  test("wrangler takes the configuration and the Worker as they are packed", async () => {
    const { folder } = await bundleEdge();
    const configuration = join(projectFolder, "runtime/deploy/workerd/wrangler.jsonc");
    cpSync(configuration, join(folder, "wrangler.jsonc"));
    const home = tempFolder("home");
    mkdirSync(home, { recursive: true });
    const args = ["deploy", "--dry-run", "--outdir", join(home, "out")];
    const end = await runProcess(node.command(wrangler, ...args), {
      cwd: folder,
      env: { HOME: home, XDG_CONFIG_HOME: home, WRANGLER_SEND_METRICS: "false", CI: "1" },
      limitMs: DRY_RUN_MS_MAX,
    });
    assert.is(end.code, 0, end.stdout + end.stderr);
    assert.match(end.stdout, /core\.wasm .* compiled-wasm/);
    assert.match(end.stdout, /env\.LOG \(TimberlineLog\) +Durable Object/);
    assert.match(end.stdout, "--dry-run: exiting now");
    assert.not.match(end.stdout + end.stderr, /WARNING|ERROR/, end.stdout + end.stderr);
  });
}

test.run();
