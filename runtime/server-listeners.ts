// The server's listeners of the Kafka door: opened together, with the certificate that the configuration names where
// they are encrypted. Used by `server.ts` only.

import { isEncrypted, type KafkaListener } from "./config/listeners.ts";
import type { BrokerConfig, HostPort } from "./config.ts";
import { formatHostPort } from "./config.ts";
import { BrokerError } from "./errors.ts";
import type { Connection, Listener, Platform, ServerTls } from "./platform.ts";
import { certificatesOf, privateKeyOf } from "./security/pem.ts";

/** Host and port are those of the first, which brokers use among themselves. */
export interface OpenListeners extends Listener {
  /** Where clients of each of the others are told to connect, by name. */
  readonly others: ReadonlyMap<string, HostPort>;
}

type Accept = (connection: Connection, listener: string) => void;

/** Rejects with the network's error, or INVALID_CONFIG about a key or certificate; nothing is open then. */
export async function openKafkaListeners(
  platform: Pick<Platform, "network" | "readText">,
  config: BrokerConfig,
  accept: Accept,
): Promise<OpenListeners> {
  const wanted = config.kafkaListeners;
  const tls = wanted.some(({ protocol }) => isEncrypted(protocol))
    ? await readTls(platform, config)
    : undefined;
  const open: Listener[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(open.map((listener) => listener.close()));
  };
  const others = new Map<string, HostPort>();
  try {
    for (const listener of wanted) {
      const { name, host, port, protocol } = listener;
      const secured = tls !== undefined && isEncrypted(protocol) ? { tls } : {};
      const own = await platform.network.listen({ host, port, ...secured }, (connection) =>
        accept(connection, name),
      );
      open.push(own);
      if (open.length > 1) others.set(name, toldAddress(listener, own));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const { host, port } = open[0]!;
  return { host, port, others, close };
}

/** For the log: which listener is where. */
export function listenersText({ others }: OpenListeners): string | undefined {
  if (others.size === 0) return undefined;
  return [...others].map(([name, at]) => `${name}://${formatHostPort(at)}`).join(",");
}

function toldAddress({ host, advertised }: KafkaListener, { port }: Listener): HostPort {
  if (advertised === undefined) return { host, port };
  return { host: advertised.host, port: advertised.port || port };
}

async function readTls(
  platform: Pick<Platform, "readText">,
  config: BrokerConfig,
): Promise<ServerTls> {
  const read = async (file: "ssl.keystore.location" | "ssl.truststore.location") => {
    const path = config.text(file) ?? "";
    if (path === "") return "";
    if (platform.readText === undefined) throw unusable(file, "there are no files here");
    return platform.readText(path).catch((cause: unknown) => {
      throw unusable(file, cause instanceof Error ? cause.message : String(cause));
    });
  };
  const store = await read("ssl.keystore.location");
  const key = privateKeyOf(config.text("ssl.keystore.key") ?? store);
  const certificates = certificatesOf(config.text("ssl.keystore.certificate.chain") ?? store);
  if (key === "") throw unusable("ssl.keystore.location", "has no private key in PEM form");
  if (certificates === "")
    throw unusable("ssl.keystore.location", "has no certificate in PEM form");
  const clientAuth = config.text("ssl.client.auth") as ServerTls["clientAuth"];
  const passphrase = config.text("ssl.key.password");
  const own = { key, certificates, clientAuth, ...(passphrase !== undefined && { passphrase }) };
  if (clientAuth === "none") return own;
  const trusted =
    config.text("ssl.truststore.certificates") ?? (await read("ssl.truststore.location"));
  const clientCa = certificatesOf(trusted);
  if (clientCa !== "") return { ...own, clientCa };
  throw unusable("ssl.truststore.location", "has no certificate in PEM form");
}

function unusable(key: string, why: string): BrokerError {
  return new BrokerError("INVALID_CONFIG", `${key} cannot be used: ${why}`);
}
