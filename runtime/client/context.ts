// What all parts of one client share: the platform, the options with their defaults, waiting and retrying.
// `client.ts` makes one; connections, metadata, producer, consumer and admin get it handed in.

import type { Network, TlsOptions } from "../platform.ts";
import { type Address, isHttpAddress, parseAddress } from "./address.ts";
import type { ClientOptions, ClientPlatform, SaslOptions } from "./api.ts";
import { asClientError, ClientError, type ClientErrorCode, retryWaitMsMax } from "./error.ts";
import { httpNetwork } from "./http-network.ts";

export { type Address, addressText, parseAddress } from "./address.ts";

/** Options whose platform is there: the user's own, or the runtime's. */
export type OwnOptions = ClientOptions & { readonly platform: ClientPlatform };

export interface Settings {
  readonly clientId: string;
  readonly bootstrap: readonly Address[];
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly operationTimeoutMs: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMsMax: number;
  readonly metadataAgeMsMax: number;
  readonly tls: TlsOptions | undefined;
  readonly sasl: SaslOptions | undefined;
}

export interface RetryOptions {
  /** Begins the error's sentence. */
  readonly where: string;
  readonly timeoutMs: number;
  /** Asked before each further attempt; by default the error's own `retriable`. */
  retry?(error: ClientError): boolean;
}

const backoffDoublingsMax = 16;

export class Context {
  readonly platform: ClientPlatform;
  /** TCP, or HTTP where the bootstrap addresses are URLs. */
  readonly network: Pick<Network, "dial">;
  readonly settings: Settings;
  closed = false;
  /** Whether other brokers say that the one at this address is no more: set by who knows the cluster. */
  isGone: (address: Address) => Promise<boolean> = async () => false;
  readonly #waits = new Set<() => void>();

  constructor(options: OwnOptions) {
    this.platform = options.platform;
    this.settings = {
      clientId: options.clientId ?? "timberline",
      bootstrap: listed(options.bootstrap).map(parseAddress),
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
      operationTimeoutMs: options.operationTimeoutMs ?? 60_000,
      retryBackoffMs: options.retryBackoffMs ?? 100,
      retryBackoffMsMax: options.retryBackoffMsMax ?? 1_000,
      metadataAgeMsMax: options.metadataAgeMsMax ?? 300_000,
      tls: tlsOf(options.tls),
      sasl: options.sasl,
    };
    this.network = networkTo(this.settings.bootstrap, options);
  }

  nowMs(): number {
    return this.platform.clock.monotonicMs();
  }

  /** The wait before attempt number `attempt` (1 is the first retry): doubling, with up to 20 % jitter. */
  backoffMs(attempt: number, code?: ClientErrorCode): number {
    const { retryBackoffMs, retryBackoffMsMax } = this.settings;
    const doublings = Math.min(Math.max(attempt - 1, 0), backoffDoublingsMax);
    const waitMsMax = code === undefined ? retryBackoffMsMax : retryWaitMsMax(code);
    const wait = Math.min(retryBackoffMs * 2 ** doublings, retryBackoffMsMax, waitMsMax);
    return wait * (0.8 + this.platform.random.integer(401) / 1000);
  }

  /** Ends early when the client closes. */
  sleep(delayMs: number): Promise<void> {
    if (this.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        this.#waits.delete(done);
        resolve();
      };
      const timer = this.platform.clock.after(delayMs, done, { keepAlive: true });
      this.#waits.add(done);
    });
  }

  /** Runs until it succeeds, fails for good, or the time is up; then rejects with the last error. */
  async retry<T>(options: RetryOptions, run: (attempt: number) => Promise<T>): Promise<T> {
    const deadlineMs = this.nowMs() + options.timeoutMs;
    for (let attempt = 1; ; attempt++) {
      if (this.closed) throw closedError(options.where);
      try {
        return await run(attempt);
      } catch (thrown) {
        const error = asClientError(thrown, options.where);
        const waitMs = this.backoffMs(attempt, error.code);
        const again = options.retry?.(error) ?? error.retriable;
        if (!again || this.nowMs() + waitMs > deadlineMs) throw error;
        await this.sleep(waitMs);
      }
    }
  }

  close(): void {
    this.closed = true;
    for (const wake of [...this.#waits]) wake();
  }
}

export function closedError(where: string): ClientError {
  return new ClientError("CLOSED", `${where}: the client was closed. Create a new one.`);
}

function tlsOf(tls: ClientOptions["tls"] = false): TlsOptions | undefined {
  if (typeof tls !== "boolean") return tls;
  return tls ? {} : undefined;
}

function listed(bootstrap: string | readonly string[]): readonly string[] {
  return typeof bootstrap === "string" ? [bootstrap] : bootstrap;
}

function networkTo(bootstrap: readonly Address[], options: OwnOptions): Pick<Network, "dial"> {
  const doors = bootstrap.filter(isHttpAddress);
  if (doors.length > 0 && (options.sasl ?? options.tls) !== undefined) {
    const what = "sasl and tls are for brokers' own addresses";
    const how = "with a URL, write https and let fetch send what the door asks for";
    throw new ClientError("INVALID_REQUEST", `${what}: ${how}.`);
  }
  if (bootstrap.length > 0 && doors.length === 0) return options.platform.network;
  if (bootstrap.length > 0 && doors.length === bootstrap.length) {
    return httpNetwork(doors, options.fetch ?? ((url, init) => fetch(url, init)));
  }
  const what = doors.length === 0 ? "is empty" : 'mixes URLs with "host:port"';
  const how = 'give "host:port" of brokers, or URLs of HTTP doors';
  throw new ClientError("INVALID_REQUEST", `bootstrap ${what}: ${how}.`);
}
