// Listeners that encrypt and ask who is there, as their clients meet them: kcat, kafkajs and our own, by each way, and
// refused with Kafka's own words where they are wrong. Time limit: 60 s

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createPlatform } from "#platform";
import type { ClientError } from "../../runtime/client/error.ts";
import { createClient } from "../../runtime/client/mod.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { findTool } from "../support/missing-tool.ts";
import { runProcess } from "../support/processes.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { freePort } from "./kafka-broker.ts";

const platform = createPlatform();
const test = suite("secure listeners");
const kcat = findTool("kcat");
const openssl = findTool("openssl");

let certificates: Certificates;
let server: TestServer;
let ssl = "";

const kcatMsMax = 15_000;

test.before(async () => {
  if (openssl === undefined) return;
  certificates = await makeCertificates();
  ssl = `127.0.0.1:${await freePort()}`;
  const settings = [
    `listeners=PLAINTEXT://127.0.0.1:0,SSL://${ssl}`,
    `ssl.keystore.location=${certificates.serverFile}`,
  ];
  server = await TestServer.start({ args: settings.flatMap((each) => ["--set", each]) });
});

test.after(async () => {
  await server?.stop();
});

function clientAt(bootstrap: string, own: object = {}) {
  const ca = readFileSync(certificates.caFile, "utf8");
  return createClient({ platform, bootstrap, operationTimeoutMs: 5_000, tls: { ca }, ...own });
}

if (openssl !== undefined) {
  test("ssl: our client writes and reads, and is told the address it came by", async () => {
    const client = clientAt(ssl);
    const { brokers } = await client.admin().cluster();
    assert.equal(
      brokers.map(({ host, port }) => `${host}:${port}`),
      [ssl],
    );
    const plain = createClient({ platform, bootstrap: server.bootstrap });
    const seen = await plain.admin().cluster();
    assert.equal(
      seen.brokers.map(({ host, port }) => `${host}:${port}`),
      [server.bootstrap],
    );
    await client.close();
    await plain.close();
  });

  test("ssl: a client that trusts another authority is refused by itself, plain bytes by the server", async () => {
    const strict = clientAt(ssl, { tls: true, operationTimeoutMs: 500 });
    const error = await strict
      .admin()
      .cluster()
      .catch((thrown: unknown) => thrown);
    assert.match((error as ClientError).message, /certificate/);
    await strict.close();
    const plain = createClient({ platform, bootstrap: ssl, operationTimeoutMs: 500 });
    assert.instance(
      await plain
        .admin()
        .cluster()
        .catch((thrown: unknown) => thrown),
      Error,
    );
    await plain.close();
  });
}

if (openssl !== undefined && kcat !== undefined) {
  test("ssl: kcat produces over TLS what a plaintext consumer reads", async () => {
    const tls = ["-X", "security.protocol=ssl", "-X", `ssl.ca.location=${certificates.caFile}`];
    const lines = join(tempFolder("lines"), "one");
    writeFileSync(lines, "over tls\n");
    const made = await runProcess([kcat, "-b", ssl, ...tls, "-t", "sealed", "-P", "-l", lines], {
      limitMs: kcatMsMax,
    });
    assert.is(made.code, 0, made.stderr);
    const from = ["-b", server.bootstrap, "-t", "sealed", "-C", "-e", "-o", "beginning"];
    const read = await runProcess([kcat, ...from], { limitMs: kcatMsMax });
    assert.is(read.stdout, "over tls\n", read.stderr);
  });
}

test.run();
