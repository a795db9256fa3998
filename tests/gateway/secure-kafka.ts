// Apache Kafka with listeners that ask who is there: SASL over plain TCP and over TLS, with a certificate of its own.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, KafkaBroker } from "../compat/kafka-broker.ts";
import type { KafkaTools } from "../compat/kafka-tools.ts";
import { runProcess } from "../support/processes.ts";
import { tempFolder } from "../support/temp-folder.ts";

export const user = { username: "alice", password: "a secret and =more" } as const;
/** A SCRAM-SHA-512 session over plain TCP lasts so long. */
export const sessionMs = 2_000;

const storePassword = "changeit";
const keytoolMsMax = 30_000;

export interface SecureKafka {
  readonly kafka: KafkaBroker;
  readonly sasl: string;
  readonly tls: string;
  /** PEM file of the certificate to trust. */
  readonly caFile: string;
  readonly ca: string;
}

export async function startSecureKafka(tools: KafkaTools): Promise<SecureKafka> {
  const folder = tempFolder("secure-kafka");
  const store = join(folder, "keys.p12");
  const caFile = join(folder, "ca.pem");
  await keytool("-genkeypair", store, [
    ...["-keyalg", "EC", "-dname", "CN=kafka", "-validity", "2"],
    ...["-storetype", "PKCS12", "-ext", "san=ip:127.0.0.1"],
  ]);
  await keytool("-exportcert", store, ["-rfc", "-file", caFile]);
  const [saslPort, tlsPort] = [await freePort(), await freePort()];
  const sasl = `127.0.0.1:${saslPort}`;
  const tls = `127.0.0.1:${tlsPort}`;
  const scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((name) => [
    "--add-scram",
    `${name}=[name="${user.username}",password="${user.password}"]`,
  ]);
  const settings = {
    listeners: `SASL_PLAINTEXT://${sasl},SASL_SSL://${tls}`,
    "listener.security.protocol.map":
      "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    ...jaas("sasl_plaintext"),
    ...jaas("sasl_ssl"),
    "listener.name.sasl_plaintext.scram-sha-512.connections.max.reauth.ms": String(sessionMs),
    "ssl.keystore.type": "PKCS12",
    "ssl.keystore.location": store,
    "ssl.keystore.password": storePassword,
    "ssl.key.password": storePassword,
  };
  const kafka = await KafkaBroker.start(tools, settings, scram);
  return { kafka, sasl, tls, caFile, ca: readFileSync(caFile, "utf8") };
}

function jaas(listener: string): Record<string, string> {
  const modules = "org.apache.kafka.common.security";
  const scram = `${modules}.scram.ScramLoginModule required;`;
  const own = `user_${user.username}="${user.password}"`;
  return {
    [`listener.name.${listener}.plain.sasl.jaas.config`]: `${modules}.plain.PlainLoginModule required ${own};`,
    [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`]: scram,
    [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`]: scram,
  };
}

async function keytool(what: string, store: string, args: readonly string[]): Promise<void> {
  const own = ["-alias", "kafka", "-keystore", store, "-storepass", storePassword];
  const end = await runProcess(["keytool", what, ...own, ...args], { limitMs: keytoolMsMax });
  if (end.code !== 0) throw new Error(`keytool ${what}: ${end.stdout}${end.stderr}`);
}
