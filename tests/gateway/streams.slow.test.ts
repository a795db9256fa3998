// The public suite of the Durable Streams protocol through a gateway before Apache Kafka, which knows neither streams
// nor conditional appends.
// Time limit: 200 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { KafkaBroker } from "../compat/kafka-broker.ts";
import { KafkaTools } from "../compat/kafka-tools.ts";
import { CASES_MIN, LONG_POLL_MS, runStreamsSuite } from "../conformance/durable-streams.ts";
import { TestGateway } from "./gateway-process.ts";

const tools = KafkaTools.find();
if (tools !== undefined) {
  const kafka = await KafkaBroker.start(tools);
  const args = ["--set", `timberline.http.long.poll.ms=${LONG_POLL_MS}`];
  const gateway = await TestGateway.start(kafka.bootstrap, args);
  const cases = await runStreamsSuite(gateway.http);
  test("gateway before Kafka was asked all of the suite", () => {
    assert.ok(cases.length >= CASES_MIN, `${cases.length} cases`);
  });
  for (const { name, failure } of cases) {
    test(`gateway before Kafka: ${name}`, () => assert.is(failure, null));
  }
}

test.run();
