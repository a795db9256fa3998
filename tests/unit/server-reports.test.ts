// reportBackground(): what an operator must look at, and what passes by itself.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { ControlPlaneError } from "../../cluster/control-plane.ts";
import { ClientError } from "../../runtime/client/error.ts";
import { reportBackground } from "../../runtime/server-reports.ts";
import { Log } from "../../runtime/telemetry/logger.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("reportBackground() warns of what another broker or the metadata service will mend", () => {
  const levelOf = (error: unknown): string | undefined => {
    const said: string[] = [];
    const write = (line: string) => void said.push(line);
    const log = new Log({ clock: new ManualClock(), level: "info", format: "text", write });
    reportBackground(log.logger(), error, "fetching from broker 3");
    return /\b(WARN|ERROR) +broker\/background-failed: fetching from broker 3/.exec(
      said.join(),
    )?.[1];
  };
  assert.is(levelOf(new ClientError("NETWORK_EXCEPTION", "refused")), "WARN");
  assert.is(levelOf(new ControlPlaneError("unavailable", "no changes now")), "WARN");
  assert.is(levelOf(new ClientError("UNSUPPORTED_VERSION", "too old")), "ERROR");
  assert.is(levelOf(new ControlPlaneError("storage-failed", "the disk")), "ERROR");
  assert.is(levelOf("a bug"), "ERROR");
});

test.run();
