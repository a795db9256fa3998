// A gateway in a Worker, in the vendor's own runtime, before a Timberline broker.

import { cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { gatewayEntry, listModules } from "../../runtime/edge/build.ts";
import { TestProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { TestServer } from "../support/server.ts";
import { bundleEdge, freePorts, workerdBinary } from "../support/workerd.ts";
import { gatewayCases, streamCases } from "./gateway-cases.ts";

const startMsMax = 20_000;

const upstream = await TestServer.start({ args: ["--flush", "os"] });
const gateway = await startWorker({ BOOTSTRAP: upstream.bootstrap });
gatewayCases(() => gateway);
streamCases(() => [gateway, gateway]);

test("gateway in a Worker: says what is missing in its variables", async () => {
  const unset = await startWorker({});
  const answer = await fetch(`${unset}/v1/topics`);
  assert.is(answer.status, 503);
  assert.match(await answer.text(), /set the variable BOOTSTRAP/);
});

/** As the package's configuration runs it, on another port. */
async function startWorker(variables: Readonly<Record<string, string>>): Promise<string> {
  const { folder, modules } = await bundleEdge(gatewayEntry);
  const config = join(folder, "config.capnp");
  cpSync(join(projectFolder, "runtime/deploy/gateway/config.capnp"), config);
  listModules(folder, modules);
  const [port = 0] = await freePorts(1);
  const at = `--socket-addr=http=127.0.0.1:${port}`;
  const command = [workerdBinary(), "serve", config, at];
  const process = new TestProcess(command, { env: variables });
  const address = `http://127.0.0.1:${port}`;
  const endMs = performance.now() + startMsMax;
  for (;;) {
    try {
      await fetch(`${address}/healthz`);
      return address;
    } catch (error) {
      if (performance.now() > endMs) throw new Error(process.stderr, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

test.run();
