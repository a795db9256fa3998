// Listeners that encrypt and ask who is there, as their clients meet them: kcat, kafkajs and our own, by each way, and
// refused with Kafka's own words where they are wrong. Time limit: 60 s

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Kafka, logLevel, type SASLOptions } from "kafkajs";
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
let saslSsl = "";
let saslPlaintext = "";
const user = { username: "alice", password: "a secret and =more" } as const;
const mechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const;
/** A session lasts so long. */
const sessionMs = 1_500;

const kcatMsMax = 15_000;

test.before(async () => {
  if (openssl === undefined) return;
  certificates = await makeCertificates();
  ssl = `127.0.0.1:${await freePort()}`;
  saslSsl = `127.0.0.1:${await freePort()}`;
  saslPlaintext = `127.0.0.1:${await freePort()}`;
  const secured = `SSL://${ssl},SASL_SSL://${saslSsl},SASL_PLAINTEXT://${saslPlaintext}`;
  const settings = [
    `listeners=PLAINTEXT://127.0.0.1:0,${secured}`,
    `timberline.sasl.users=${user.username}:${user.password}`,
    `connections.max.reauth.ms=${sessionMs}`,
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

  test("ssl: with ssl.client.auth=required only a client with a certificate comes in", async () => {
    const strict = `127.0.0.1:${await freePort()}`;
    const settings = [
      `listeners=PLAINTEXT://127.0.0.1:0,SSL://${strict}`,
      `ssl.keystore.location=${certificates.serverFile}`,
      `ssl.truststore.location=${certificates.caFile}`,
      "ssl.client.auth=required",
    ];
    const own = await TestServer.start({ args: settings.flatMap((each) => ["--set", each]) });
    const isAnswered = (own: object) =>
      new Promise<boolean>((resolve) => {
        const [host, port] = strict.split(":");
        const ca = readFileSync(certificates.caFile);
        const socket = connectTls({ host: host!, port: Number(port), ca, ...own });
        // ApiVersions v0, correlation id 1, no client id.
        const ask = new Uint8Array([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255]);
        let answered = false;
        socket.on("error", () => {});
        socket.once("secureConnect", () => socket.write(ask));
        socket.once("data", () => {
          answered = true;
          socket.destroy();
        });
        socket.once("close", () => resolve(answered));
      });
    const pem = readFileSync(certificates.clientFile);
    assert.is(await isAnswered({ key: pem, cert: pem }), true);
    assert.is(await isAnswered({}), false);
    await own.stop();
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

function faultOf(bootstrap: string, own: object): Promise<string> {
  const client = clientAt(bootstrap, { operationTimeoutMs: 3_000, ...own });
  const asked = client.admin().cluster();
  const code = asked.then(
    () => "",
    (error: ClientError) => error.code,
  );
  return code.finally(() => client.close());
}

if (openssl !== undefined) {
  test("sasl: our client by every mechanism over TLS, by SCRAM without", async () => {
    for (const mechanism of mechanisms) {
      assert.is(await faultOf(saslSsl, { sasl: { mechanism, ...user } }), "", mechanism);
      const wanted = mechanism === "plain" ? "UNSUPPORTED_SASL_MECHANISM" : "";
      const plain = { tls: undefined, sasl: { mechanism, ...user } };
      assert.is(await faultOf(saslPlaintext, plain), wanted, mechanism);
    }
  });

  test("sasl: wrong passwords and unknown users get Kafka's error, and the same one", async () => {
    for (const mechanism of mechanisms) {
      for (const wrong of [
        { ...user, password: "wrong" },
        { username: "nobody", password: "x" },
      ]) {
        const sasl = { mechanism, ...wrong };
        assert.is(await faultOf(saslSsl, { sasl }), "SASL_AUTHENTICATION_FAILED", mechanism);
      }
    }
    assert.is.not(await faultOf(saslSsl, {}), "", "without SASL nothing is answered");
  });

  test("sasl: a session that ends is begun anew, and nobody notices", async () => {
    const client = clientAt(saslSsl, { sasl: { mechanism: "scram-sha-256", ...user } });
    const producer = client.producer();
    const endMs = Date.now() + 2 * sessionMs;
    let sent = 0;
    while (Date.now() < endMs) {
      await producer.send({ topic: "sessions", value: "x" });
      sent++;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(sent > 5);
    await client.close();
  });

  test("sasl: kafkajs by every mechanism, and refused by each", async () => {
    for (const mechanism of mechanisms) {
      const ca = [readFileSync(certificates.caFile, "utf8")];
      const described = async (password: string) => {
        const own = { username: user.username, password };
        const kafka = new Kafka({
          brokers: [saslSsl],
          ssl: { ca },
          sasl: { mechanism, ...own } as SASLOptions,
          logLevel: logLevel.NOTHING,
          retry: { retries: 0 },
        });
        const admin = kafka.admin();
        try {
          await admin.connect();
          return (await admin.describeCluster()).brokers.map(({ host, port }) => `${host}:${port}`);
        } finally {
          await admin.disconnect();
        }
      };
      assert.equal(await described(user.password), [saslSsl], mechanism);
      const refused = await described("wrong").catch((error: Error) => error.message);
      assert.match(String(refused), /[Aa]uthentication failed/, mechanism);
    }
  });
}

if (openssl !== undefined && kcat !== undefined) {
  test("sasl: kcat by every mechanism, and refused with what Kafka says", async () => {
    for (const mechanism of mechanisms) {
      const asked = (password: string, seconds: number) => {
        const settings = [
          "security.protocol=sasl_ssl",
          `ssl.ca.location=${certificates.caFile}`,
          `sasl.mechanism=${mechanism.toUpperCase()}`,
          `sasl.username=${user.username}`,
          `sasl.password=${password}`,
        ].flatMap((each) => ["-X", each]);
        return runProcess([kcat, "-b", saslSsl, ...settings, "-L", "-m", `${seconds}`], {
          limitMs: kcatMsMax,
        });
      };
      const listed = await asked(user.password, 5);
      assert.match(listed.stdout, `broker 1 at ${saslSsl}`, listed.stderr);
      const refused = await asked("wrong", 1);
      assert.match(refused.stderr, /Authentication failed/);
      assert.is.not(refused.code, 0);
    }
  });

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
