// A gateway before Apache Kafka. Time limit: 120 s

import { test } from "uvu";
import { KafkaBroker } from "../compat/kafka-broker.ts";
import { KafkaTools } from "../compat/kafka-tools.ts";
import { gatewayCases } from "./gateway-cases.ts";
import { TestGateway } from "./gateway-process.ts";

const tools = KafkaTools.find();
if (tools !== undefined) {
  const kafka = await KafkaBroker.start(tools);
  const gateway = await TestGateway.start(kafka.bootstrap);
  gatewayCases(() => gateway.http);
}

test.run();
