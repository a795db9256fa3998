// Broker keys with Kafka's names about who may come in: protocols of listeners, TLS, SASL.

import { boolean, INT_MAX, int, list, long, password, string } from "./key.ts";
import { PROTOCOLS_RULE, USERS_RULE } from "./listeners.ts";

export const SECURITY_KEYS = {
  "connection.failed.authentication.delay.ms": int({
    default: 100,
    unit: "ms",
    min: 0,
    max: 10_000,
    doc: "Who fails to authenticate is told so after this long, which slows guessing down.",
  }),
  "connections.max.reauth.ms": long({
    default: 0,
    unit: "ms",
    min: 0,
    max: INT_MAX,
    doc: "A SASL session lasts so long and must then be begun anew (KIP-368), or the connection is closed; 0: without end.",
  }),
  "inter.broker.listener.name": string({
    doc: "The listener that brokers use among themselves; not set: the one called PLAINTEXT, else the first.",
  }),
  "listener.security.protocol.map": string({
    default: "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
    rule: PROTOCOLS_RULE,
    doc: "Which protocol each listener's name stands for: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.",
    related: ["listeners"],
  }),
  "sasl.enabled.mechanisms": list({
    default: "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    oneOf: ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
    doc: "How clients of SASL listeners may prove who they are. PLAIN is offered over TLS only.",
    related: ["timberline.sasl.plain.without.tls"],
  }),
  "sasl.server.max.receive.size": int({
    default: 65_536,
    unit: "bytes",
    min: 1024,
    doc: "Largest request of a client that has not authenticated yet.",
  }),
  "ssl.client.auth": string({
    default: "none",
    oneOf: ["none", "requested", "required"],
    doc: "Whether clients of encrypted listeners prove themselves by a certificate that the truststore vouches for.",
    related: ["ssl.truststore.location"],
  }),
  "ssl.key.password": password({
    doc: "What the private key is encrypted with; not set: it is not.",
  }),
  "ssl.keystore.certificate.chain": password({
    doc: "The server's certificate and those between it and its authority, PEM; instead of a file.",
  }),
  "ssl.keystore.key": password({
    doc: "The private key of the certificate, PEM; instead of a file.",
  }),
  "ssl.keystore.location": string({
    doc: "PEM file with the server's private key and its certificates.",
    related: ["ssl.key.password"],
  }),
  "ssl.keystore.type": string({
    default: "PEM",
    oneOf: ["PEM"],
    doc: "Form of the keystore. Java's forms are turned into PEM by openssl pkcs12.",
  }),
  "ssl.truststore.certificates": password({
    doc: "Certificates that vouch for clients, PEM; instead of a file.",
  }),
  "ssl.truststore.location": string({
    doc: "PEM file with the certificates that vouch for clients.",
    related: ["ssl.client.auth"],
  }),
  "ssl.truststore.type": string({
    default: "PEM",
    oneOf: ["PEM"],
    doc: "Form of the truststore.",
  }),
  "timberline.authentication.timeout.ms": int({
    default: 10_000,
    unit: "ms",
    min: 100,
    doc: "A connection of a SASL listener that has not authenticated after this long is closed.",
  }),
  "timberline.sasl.plain.without.tls": boolean({
    default: false,
    doc: "Offers PLAIN on SASL_PLAINTEXT listeners too: passwords are then readable on the way.",
    related: ["sasl.enabled.mechanisms"],
  }),
  "timberline.sasl.users": password({
    rule: USERS_RULE,
    doc: "Users known from the start, NAME:PASSWORD with commas or lines between, besides those of the metadata.",
  }),
} as const;
