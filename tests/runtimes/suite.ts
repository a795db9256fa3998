// Runs the whole list of cases against one server on one runtime, in order: the cases use topics of their own
// and leave the server running, so they can share it.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { request } from "../support/http-client.ts";
import type { TestRuntime } from "../support/runtimes.ts";
import { TestServer } from "../support/server.ts";
import type { Case, Given, RunningServer } from "./case.ts";
import { clientCases } from "./client-cases.ts";
import { httpCases } from "./http-cases.ts";
import { kafkaCases, oneBrokerCases } from "./kafka-cases.ts";
import { commandCases, lifeCases } from "./life-cases.ts";

/** Queues the cases; the file that calls it calls `test.run()`. */
export function onRuntime(label: string, runtime: TestRuntime): void {
  queueCases(label, runtime, () => TestServer.start({ runtime }), [
    ...commandCases,
    ...oneBrokerCases,
  ]);
}

/** The same for a server that is not started by our command line; `more` are cases of its own. */
export function queueCases(
  label: string,
  runtime: TestRuntime,
  start: () => Promise<RunningServer>,
  more: readonly Case[],
): void {
  let server: RunningServer;
  test.before(async () => {
    server = await start();
  });
  test.after(async () => {
    await server.kill();
  });
  test(`${label} is the one asked for: ${runtime.name} ${runtime.version}`, async () => {
    const text = await (await request(`${server.http}/metrics`)).text();
    const info = /^timberline_broker_info\{(.*)\} 1/m.exec(text)?.[1] ?? text;
    assert.match(info, `runtime="${runtime.name}"`);
    assert.match(info, `runtime_version="${runtime.version}"`);
  });
  for (const { name, run } of allCases(more)) {
    test(`${label} ${name}`, () => run(given(server, runtime)));
  }
}

function allCases(more: readonly Case[]): Case[] {
  return [...lifeCases, ...more, ...httpCases, ...kafkaCases, ...clientCases];
}

function given(server: RunningServer, runtime: TestRuntime): Given {
  return { server, runtime, kafka: server.kafka, http: server.http };
}
