// A gateway before Apache Kafka, and what connects it: TLS and SASL. Time limit: 150 s

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createPlatform } from "#platform";
import type { SaslOptions } from "../../runtime/client/api.ts";
import { ClientError } from "../../runtime/client/error.ts";
import { createClient } from "../../runtime/client/mod.ts";
import { KafkaTools } from "../compat/kafka-tools.ts";
import { request, requestJson } from "../support/http-client.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { gatewayCases, streamCases } from "./gateway-cases.ts";
import { TestGateway } from "./gateway-process.ts";
import { restCases } from "./rest-cases.ts";
import { type SecureKafka, sessionMs, startSecureKafka, user } from "./secure-kafka.ts";

const platform = createPlatform();
const tools = KafkaTools.find();
if (tools !== undefined) {
  const kafka = await startSecureKafka(tools);
  const gateway = await TestGateway.start(kafka.kafka.bootstrap);
  const other = await TestGateway.start(kafka.kafka.bootstrap);
  gatewayCases(() => gateway.http);
  streamCases(() => [gateway.http, other.http]);
  restCases(() => [gateway.http, other.http]);
  securityCases(kafka);
}

function securityCases(kafka: SecureKafka): void {
  saslCases(kafka);
  connectionCases(kafka);
}

function saslCases({ sasl, tls, ca }: SecureKafka): void {
  const mechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const;

  const brokersAt = async (bootstrap: string, own: SaslOptions, isSecure: boolean) => {
    const security = isSecure ? { tls: { ca }, sasl: own } : { sasl: own };
    const client = createClient({ platform, bootstrap, operationTimeoutMs: 5_000, ...security });
    try {
      return (await client.admin().cluster()).brokers.length;
    } finally {
      await client.close();
    }
  };

  test("sasl: every mechanism, over TCP and TLS", async () => {
    for (const mechanism of mechanisms) {
      assert.is(await brokersAt(sasl, { mechanism, ...user }, false), 1);
      assert.is(await brokersAt(tls, { mechanism, ...user }, true), 1);
    }
  });

  test("sasl: a wrong password is refused, and said so", async () => {
    for (const mechanism of mechanisms) {
      const wrong = { mechanism, username: user.username, password: "wrong" };
      const error = await brokersAt(sasl, wrong, false).catch((thrown: unknown) => thrown);
      assert.instance(error, ClientError);
      assert.is((error as ClientError).code, "SASL_AUTHENTICATION_FAILED");
    }
  });
}

function connectionCases({ sasl, tls, caFile }: SecureKafka): void {
  test("tls: a certificate nobody vouches for is refused", async () => {
    const client = createClient({ platform, bootstrap: tls, tls: true, operationTimeoutMs: 500 });
    const error = await client
      .admin()
      .cluster()
      .catch((thrown: unknown) => thrown);
    assert.match((error as ClientError).message, /self-signed certificate|unable to verify/);
    await client.close();
  });

  test("sasl: a session that ends is begun anew, and nobody notices", async () => {
    const own = { mechanism: "scram-sha-512", ...user } as const;
    const client = createClient({ platform, bootstrap: sasl, sasl: own });
    const producer = client.producer();
    const endMs = performance.now() + 2 * sessionMs;
    let sent = 0;
    for (; performance.now() < endMs; sent++) {
      await producer.send({ topic: "sessions", value: `${sent}` });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const [end] = await client
      .admin()
      .listOffsets([{ topic: "sessions", partition: 0, spec: "latest" }]);
    assert.is(end?.offset, sent);
    await client.close();
  });

  test("gateway: before a cluster with TLS and SASL", async () => {
    const passwordFile = join(tempFolder("gateway"), "password");
    writeFileSync(passwordFile, `${user.password}\n`);
    const { http, process } = await TestGateway.start(tls, [
      ...["--tls-ca", caFile, "--sasl-mechanism", "scram-sha-256"],
      ...["--sasl-username", user.username, "--sasl-password-file", passwordFile],
    ]);
    await request(`${http}/v1/topics/secured/records`, { body: { value: "x" } });
    const { records } = await requestJson<{ records: { value: string }[] }>(
      `${http}/v1/topics/secured/partitions/0/records?offset=0`,
    );
    assert.is(records[0]?.value, "x");
    await process.stop("SIGTERM");
  });
}

test.run();
