// createGateway: the HTTP door with a remote cluster behind it. It keeps nothing: whatever is acknowledged is in the
// upstream, so any number of gateways may stand before one cluster. `cli/gateway.ts` runs it as a process,
// `edge/gateway-worker.ts` in a Worker.

import type { ClientOptions } from "../client/api.ts";
import { BrokerError } from "../errors.ts";
import { createHttpApp } from "../http/app.ts";
import { defaultHttpLimits, type HttpLimits, httpLimitKeys } from "../http/limits.ts";
import type { HttpHandler, Platform } from "../platform.ts";
import type { Logger } from "../telemetry/logger.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { version } from "../version.ts";
import { GatewayBroker } from "./gateway-broker.ts";
import { GatewayMetrics } from "./gateway-metrics.ts";
import { gatewayTunnel } from "./gateway-tunnel.ts";
import { topicsIn } from "./request-topics.ts";
import { Upstream } from "./upstream.ts";

/** Limits of the door that a user may set, by the names they have as configuration of a broker. */
export const gatewayLimitKeys = httpLimitKeys;

export interface GatewayOptions
  extends Pick<ClientOptions, "bootstrap" | "clientId" | "tls" | "sasl"> {
  readonly platform: Platform;
  readonly logger: Logger;
  /** Origins of web pages that may use it; `*` is every one. */
  readonly corsOrigins?: readonly string[];
  readonly limits?: Partial<HttpLimits>;
}

export interface Gateway {
  readonly metrics: Metrics;
  readonly broker: GatewayBroker;
  /** Why the upstream cannot be reached; null when it can. */
  readonly failure: string | null;
  readonly fetch: HttpHandler;
  close(): void;
}

/** Throws a `ClientError` for addresses that are none. Resolves when the upstream was asked once, well or not. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { platform, logger } = options;
  const upstream = new Upstream({
    ...options,
    noteChange: (failure) => {
      if (failure === null) logger.info("upstream-back", "the upstream cluster answers");
      else logger.warn("upstream-away", `the upstream cluster does not answer: ${failure}`);
    },
  });
  const broker = new GatewayBroker(platform, upstream);
  const metrics = new Metrics(platform.clock);
  const closing = new AbortController();
  const stopProbe = metrics.probeLoop();
  const app = createHttpApp({
    platform,
    broker,
    config: {
      corsOrigins: options.corsOrigins ?? [],
      limits: { ...defaultHttpLimits, ...options.limits },
      version,
    },
    readiness: () => (upstream.view.failure === null ? [] : [`upstream: ${upstream.view.failure}`]),
    metrics: new GatewayMetrics(platform, metrics, () => ({
      isUpstreamUp: upstream.view.failure === null,
      feeds: broker.feeds.counts,
      feedBytes: broker.feeds.bytes,
    })),
    docs: () => platform.manual(),
    kafka: gatewayTunnel(upstream.connecting, () => broker.cluster()),
    report: (error, context) =>
      logger.error("request-failed", context, {
        error: error instanceof Error ? error : new Error(String(error)),
      }),
    counters: metrics.load,
    observe: (answered) => metrics.httpRequest(answered),
    closing: closing.signal,
  });
  await upstream.view.start();
  // Streams whose time is over are ended, and wakes delivered, before anybody asks for a stream. If the upstream is
  // away now, the first request for one does it.
  if (upstream.view.failure === null) void broker.configs.begin().catch(() => {});
  return {
    metrics,
    broker,
    get failure() {
      return upstream.view.failure;
    },
    async fetch(request, context) {
      // A topic may have been made a moment ago by somebody else.
      const { names, isStream } = topicsIn(request.url);
      if (names.length > 0)
        await prepare(upstream, broker, { names, isStream, method: request.method });
      return app.fetch(request, context);
    },
    close() {
      closing.abort();
      stopProbe();
      broker.close();
    },
  };
}

/** What the routes ask for without waiting: the topics of a request, and what makes a stream of one. */
async function prepare(
  upstream: Upstream,
  { configs }: GatewayBroker,
  request: { names: readonly string[]; isStream: boolean; method: string },
): Promise<void> {
  const { names, isStream, method } = request;
  const known = () => names.map((name) => upstream.view.cluster().topics.get(name));
  if (known().every((topic) => topic === undefined)) {
    await Promise.all(names.map((name) => upstream.view.look(name)));
  }
  if (!isStream || upstream.view.failure !== null) return;
  try {
    if (method === "DELETE") return await configs.knowAll();
    await Promise.all(known().map((topic) => topic && configs.know(topic)));
  } catch (error) {
    // The route meets it again, and tells it.
    if (!(error instanceof BrokerError)) throw error;
  }
}
