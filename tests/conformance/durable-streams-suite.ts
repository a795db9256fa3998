// The protocol's public conformance suite against one server, in a process of its own, because vitest wants to be the
// only one there: started by node it starts vitest on this very file, which then queues the suite's cases. Called as
// `tsx tests/conformance/durable-streams-suite.ts REPORT`, with the server in STREAMS_URL (vite takes BASE_URL).

import { fileURLToPath } from "node:url";
import { LONG_POLL_MS } from "./durable-streams.ts";

const CASE_MS_MAX = 30_000;
const self = fileURLToPath(import.meta.url);

if (process.env.VITEST === undefined) {
  const { startVitest } = await import("vitest/node");
  const [, , report = ""] = process.argv;
  const options = { reporters: ["json"], outputFile: report, testTimeout: CASE_MS_MAX };
  const run = await startVitest("test", [self], {
    ...options,
    ...{
      include: [self],
      watch: false,
      config: false,
      root: fileURLToPath(new URL("../..", import.meta.url)),
    },
  });
  await run.close();
} else {
  const { runConformanceTests } = await import("@durable-streams/server-conformance-tests");
  runConformanceTests({
    baseUrl: process.env.STREAMS_URL ?? "",
    longPollTimeoutMs: LONG_POLL_MS,
    subscriptions: true,
  });
}
