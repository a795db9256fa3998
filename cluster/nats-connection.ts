// The way to a NATS server: dialling until it answers, refusing servers whose compare-and-set is not safe, and the
// sentences for what a person has to mend. Used by `nats-log.ts` only.

import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  ErrorCode,
  type NatsConnection,
  NatsError,
} from "nats";
import { type MemberClock, pause } from "./member-parts.ts";

export interface NatsSettings {
  /** `nats://host:port` or `tls://…`, a user and password or a token may stand in them. */
  readonly servers: readonly string[];
  /** Contents of a `.creds` file. */
  readonly credentials?: string;
  /** Of the metadata stream; absent: 3 in a NATS cluster, else 1. */
  readonly replicas?: number;
  readonly clock: MemberClock;
  /** How long an opening waits for servers that do not answer. Default: two minutes. */
  readonly waitMsMax?: number;
  /** Told once when the servers cannot be reached at the start, and when a server is refused. */
  readonly report: (message: string) => void;
}

/** What a person has to mend: wrong credentials, an unsafe server, no JetStream. */
export class NatsRefused extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "NatsRefused";
  }
}

/** Clients' defaults give up after ten attempts and look every two minutes whether the server lives. */
const RECONNECT_WAIT_MS = 250;
const PING_INTERVAL_MS = 1_000;
const PINGS_OUT_MAX = 2;
const DIAL_TIMEOUT_MS = 3_000;
const DIAL_AGAIN_MS = 1_000;
const WAIT_MS_MAX = 120_000;

/** When an opening that begins now gives up. */
export function openingEndMs({ clock, waitMsMax = WAIT_MS_MAX }: NatsSettings): number {
  return clock.monotonicMs() + waitMsMax;
}

/** Dials until a server answers; rejects with NatsRefused for what waiting does not mend. */
export async function connectNats(settings: NatsSettings): Promise<NatsConnection> {
  // Messages are kept in logs: passwords are not.
  const where = settings.servers.map(withoutUserInfo).join(", ");
  const endMs = openingEndMs(settings);
  for (let attempt = 0; ; attempt++) {
    try {
      const connection = await connect(connectionOptions(settings));
      await checkServer(connection, settings.replicas);
      return connection;
    } catch (cause) {
      const refused = refusal(cause, where);
      if (refused) throw refused;
      if (settings.clock.monotonicMs() > endMs) {
        throw new NatsRefused(`no NATS server answers at ${where}: start one (nats-server -js)`, {
          cause,
        });
      }
      if (attempt === 0) {
        settings.report(`no NATS server answers at ${where}: waiting for one (nats-server -js)`);
      }
      await pause(settings.clock, DIAL_AGAIN_MS);
    }
  }
}

/** Per-key compare-and-set raced before 2.9.21 with replicas, and 2.10.19 lost updates without. */
export function unsafeServer(version: string, replicas: number): string | undefined {
  const [major = 0, minor = 0, patch = 0] = version
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  const number = major * 1e6 + minor * 1e3 + patch;
  const advice = "run a current nats-server (2.10.20 or newer)";
  if (number === 2_010_019) return `nats-server ${version} loses updates: ${advice}`;
  if (number < 2_002_000) return `nats-server ${version} has no JetStream: ${advice}`;
  if (replicas > 1 && number < 2_009_021) {
    return `nats-server ${version} lets two writers win when the metadata has replicas: ${advice}`;
  }
  return undefined;
}

/** As the settings say, or as many as a NATS cluster has sense for. */
export function streamReplicas(connection: NatsConnection, chosen: number | undefined): number {
  if (chosen !== undefined) return chosen;
  return connection.info?.cluster === undefined ? 1 : 3;
}

function connectionOptions({ servers, credentials }: NatsSettings): ConnectionOptions {
  const url = firstUserInfo(servers);
  return {
    servers: servers.map(withoutUserInfo),
    name: "timberline",
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_WAIT_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: PINGS_OUT_MAX,
    timeout: DIAL_TIMEOUT_MS,
    ...(url ?? {}),
    ...(servers.some((server) => server.startsWith("tls://")) ? { tls: {} } : {}),
    ...(credentials === undefined
      ? {}
      : { authenticator: credsAuthenticator(new TextEncoder().encode(credentials)) }),
  };
}

/** `nats://user:pass@host`, or `nats://token@host`. */
function firstUserInfo(servers: readonly string[]): Partial<ConnectionOptions> | undefined {
  for (const server of servers) {
    const [, userInfo] = /^[a-z]+:\/\/([^@/]*)@/.exec(server) ?? [];
    if (userInfo === undefined) continue;
    const [user = "", pass] = userInfo.split(":").map(decodeURIComponent);
    return pass === undefined ? { token: user } : { user, pass };
  }
  return undefined;
}

function withoutUserInfo(server: string): string {
  return server.replace(/^([a-z]+:\/\/)[^@/]*@/, "$1");
}

async function checkServer(connection: NatsConnection, replicas: number | undefined) {
  const { info } = connection;
  const unsafe = unsafeServer(info?.version ?? "0", streamReplicas(connection, replicas));
  const hasJetStream = info?.jetstream === true;
  if (unsafe === undefined && hasJetStream) return;
  await connection.close();
  throw new NatsRefused(
    unsafe ?? "the NATS server has no JetStream, where the metadata lives: start it with -js",
  );
}

function refusal(cause: unknown, where: string): NatsRefused | undefined {
  if (cause instanceof NatsRefused) return cause;
  if (!(cause instanceof NatsError)) return undefined;
  const credentials = [
    ErrorCode.AuthorizationViolation,
    ErrorCode.AuthenticationExpired,
    ErrorCode.AuthenticationTimeout,
    ErrorCode.BadAuthentication,
    ErrorCode.BadCreds,
  ] as readonly string[];
  if (!credentials.includes(cause.code)) return undefined;
  const how = "check --nats nats://USER:PASSWORD@HOST or --nats-credentials FILE";
  return new NatsRefused(`the NATS server at ${where} refuses these credentials: ${how}`, {
    cause,
  });
}
