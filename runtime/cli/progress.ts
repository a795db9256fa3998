// Progress of work that takes longer than a second: a line that rewrites itself on a terminal, one line each ten
// seconds elsewhere, one object each second with -o ndjson. Always on stderr.

import process from "node:process";
import type { Clock } from "../platform.ts";
import { formatBytes, formatCount, formatCounted } from "./output.ts";
import type { Shell } from "./shell.ts";
import { formatDurationMs } from "./time-spec.ts";

const QUIET_MS = 1000;
const TERMINAL_INTERVAL_MS = 200;
const LINE_INTERVAL_MS = 10_000;
const BAR_WIDTH = 20;

export interface ProgressState {
  readonly records: number;
  /** What is counted, if not records. */
  readonly noun?: string;
  readonly bytes: number;
  /** 0…1 when the total is known. */
  readonly fraction?: number | undefined;
}

export interface Progress {
  /** Cheap: looks at the clock, prints when it is time. */
  update(state: ProgressState): void;
  /** Clears the running line. */
  end(): void;
}

export function startProgress(shell: Shell, clock: Clock, label: string): Progress {
  if (shell.isQuiet) return { update() {}, end() {} };
  const startMs = clock.monotonicMs();
  const isJson = shell.output === "ndjson";
  const isLive = shell.isErrorTerminal && !isJson && !shell.isOutTerminal;
  const intervalMs = isLive ? TERMINAL_INTERVAL_MS : isJson ? QUIET_MS : LINE_INTERVAL_MS;
  let nextMs = startMs + Math.max(QUIET_MS, intervalMs);
  let isShown = false;
  return {
    update(state) {
      const nowMs = clock.monotonicMs();
      if (nowMs < nextMs) return;
      nextMs = nowMs + intervalMs;
      const elapsedMs = nowMs - startMs;
      if (isJson) return shell.warn(progressJson(label, state, elapsedMs));
      const line = progressLine(label, state, elapsedMs);
      if (!isLive) return shell.warn(line);
      process.stderr.write(`\r\u001b[2K${line}`);
      isShown = true;
    },
    end() {
      if (isShown) process.stderr.write("\r\u001b[2K");
    },
  };
}

/** Records, bytes, rate, and what is left when that is known. */
export function progressLine(label: string, state: ProgressState, elapsedMs: number): string {
  const seconds = elapsedMs / 1000;
  const parts = [
    `${label} ${formatCounted(state.records, state.noun ?? "record")}`,
    formatBytes(state.bytes),
    `${formatCount(Math.round(state.records / seconds))}/s`,
    `${formatBytes(state.bytes / seconds)}/s`,
  ];
  const { fraction } = state;
  if (fraction === undefined || fraction <= 0) return parts.join("  ");
  const filled = Math.round(Math.min(1, fraction) * BAR_WIDTH);
  const leftMs = elapsedMs * (1 / fraction - 1);
  const bar = `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}] ${Math.floor(fraction * 100)}%`;
  return `${bar}  ${parts.join("  ")}  ${formatDurationMs(Math.max(0, leftMs))} left`;
}

function progressJson(label: string, state: ProgressState, elapsedMs: number): string {
  return JSON.stringify({
    progress: label,
    records: state.records,
    bytes: state.bytes,
    fraction: state.fraction ?? null,
    elapsedMs: Math.round(elapsedMs),
  });
}
