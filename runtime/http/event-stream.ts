// What every SSE answer of this door has in common: headers, the comment that keeps proxies from cutting a silent
// connection, and how an error is told once the status is gone.

import { errorAnswer } from "./error.ts";

export const eventsMediaType = "text/event-stream";

export const eventHeaders = {
  "content-type": eventsMediaType,
  // nginx would gather events otherwise.
  "x-accel-buffering": "no",
} as const;

export const keepaliveComment = ": keepalive\n\n";

/** An event of the one error shape; the stream ends after it. */
export function errorEvent(error: unknown): string {
  return `event: error\ndata: ${JSON.stringify(errorAnswer(error).body)}\n\n`;
}
