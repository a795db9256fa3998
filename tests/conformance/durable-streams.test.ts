// The Durable Streams protocol as its own public suite checks it, subscriptions included: every case on every runtime,
// all at once. The names are listed in the run's output.
// Time limit: 150 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { bun, currentNode, deno, type TestRuntime } from "../support/runtimes.ts";
import { TestServer } from "../support/server.ts";
import { LISTED } from "../support/suite-report.ts";
import { WorkerdServer } from "../support/workerd.ts";
import { CASES_MIN, LONG_POLL_MS, runStreamsSuite, type SuiteCase } from "./durable-streams.ts";

const key = "timberline.http.long.poll.ms";

async function onProcess(runtime: TestRuntime): Promise<SuiteCase[]> {
  const args = ["--set", `${key}=${LONG_POLL_MS}`];
  const server = await TestServer.start({ runtime, args });
  try {
    return await runStreamsSuite(server.http);
  } finally {
    await server.kill();
  }
}

async function onWorkerd(): Promise<SuiteCase[]> {
  const variables = { TIMBERLINE_HTTP_LONG_POLL_MS: String(LONG_POLL_MS) };
  const server = await WorkerdServer.start({ variables });
  try {
    return await runStreamsSuite(server.http);
  } finally {
    await server.kill();
  }
}

const runs = await Promise.all([
  onProcess(currentNode()).then((cases) => ["Node", cases] as const),
  onProcess(deno()).then((cases) => ["Deno", cases] as const),
  onProcess(bun()).then((cases) => ["Bun", cases] as const),
  onWorkerd().then((cases) => ["workerd", cases] as const),
]);

const passedOn = new Map<string, string[]>();
for (const [label, cases] of runs) {
  test(`${label} was asked all of the suite`, () => {
    assert.ok(cases.length >= CASES_MIN, `${cases.length} cases`);
  });
  for (const { name, failure } of cases) {
    test(`${label}: ${name}`, () => assert.is(failure, null));
    if (failure === null) passedOn.set(name, [...(passedOn.get(name) ?? []), label]);
  }
}
for (const [name, labels] of passedOn)
  console.log(`${LISTED}${name}: passed on ${labels.join(", ")}`);

test.run();
