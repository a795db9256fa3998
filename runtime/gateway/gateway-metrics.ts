// What a gateway shows at /metrics: its HTTP door, its event loop, and what it asks of the upstream. The brokers have
// metrics of their own.

import type { MetricsSource } from "../http/operations.ts";
import type { Platform } from "../platform.ts";
import { CONTENT_TYPES, chooseFormat, ExpositionWriter } from "../telemetry/exposition.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { version } from "../version.ts";
import type { FeedCounts } from "./feeds.ts";

export interface GatewayCounts {
  readonly isUpstreamUp: boolean;
  readonly feeds: FeedCounts;
  readonly feedBytes: number;
}

export class GatewayMetrics implements MetricsSource {
  readonly #platform: Platform;
  readonly #metrics: Metrics;
  readonly #counts: () => GatewayCounts;

  constructor(platform: Platform, metrics: Metrics, counts: () => GatewayCounts) {
    this.#platform = platform;
    this.#metrics = metrics;
    this.#counts = counts;
  }

  async exposition(accept: string | undefined): Promise<{ contentType: string; body: string }> {
    const to = new ExpositionWriter(chooseFormat(accept));
    this.#process(to);
    this.#upstream(to);
    this.#http(to);
    to.sample("metrics_series", to.series + 1);
    return { contentType: CONTENT_TYPES[to.format], body: to.end() };
  }

  #process(to: ExpositionWriter): void {
    const { runtime, runtimeVersion, clock } = this.#platform;
    const { startedMs, loopDelay, load } = this.#metrics;
    to.sample("gateway_info", 1, runtime, runtimeVersion, version);
    to.sample("uptime_seconds", Math.round(clock.monotonicMs() - startedMs) / 1000);
    to.sample("inflight_bytes", load.inflightBytes);
    to.histogram("loop_delay_seconds", loopDelay);
    for (const [kind, bytes] of Object.entries(this.#platform.memory())) {
      to.sample("memory_bytes", bytes, kind);
    }
  }

  #upstream(to: ExpositionWriter): void {
    const { isUpstreamUp, feeds, feedBytes } = this.#counts();
    to.sample("gateway_upstream_up", isUpstreamUp ? 1 : 0);
    to.sample("gateway_feeds", feeds.feeds);
    to.sample("gateway_feed_bytes", feedBytes);
    to.sample("gateway_upstream_fetches_total", feeds.polls, "feed");
    to.sample("gateway_upstream_fetches_total", feeds.reads, "reader");
    to.sample("gateway_shared_fetches_total", feeds.shared);
  }

  #http(to: ExpositionWriter): void {
    for (const { labels, duration } of this.#metrics.routes.values()) {
      to.histogram("http_request_duration_seconds", duration, ...labels);
    }
    to.sample("sse_streams", this.#metrics.load.sseStreams);
  }
}
