// A gateway in a Worker, in the vendor's own runtime, before a Timberline broker.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { TestServer } from "../support/server.ts";
import { gatewayCases, streamCases } from "./gateway-cases.ts";
import { WorkerGateway } from "./worker-gateway.ts";

const upstream = await TestServer.start({ args: ["--flush", "os"] });
const { http: gateway } = await WorkerGateway.start({ BOOTSTRAP: upstream.bootstrap });
gatewayCases(() => gateway);
streamCases(() => [gateway, gateway]);

test("gateway in a Worker: says what is missing in its variables", async () => {
  const { http: unset } = await WorkerGateway.start({});
  const answer = await fetch(`${unset}/v1/topics`);
  assert.is(answer.status, 503);
  assert.match(await answer.text(), /set the variable BOOTSTRAP/);
});

test.run();
