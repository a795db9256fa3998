// How produce routes tell what they stored: the sum of a request, and the error that stopped one half way.

import { BrokerError } from "../errors.ts";
import type { Appends } from "./appends.ts";
import { HttpError } from "./error.ts";
import { json } from "./route.ts";

/** One or more whole record batches v2, as Kafka clients make them. */
export const batchesMediaType = "application/vnd.timberline.batches";
export const linesMediaType = "application/x-ndjson";

type Counted = "record" | "line" | "batch";

/** The sum of what was stored; throws the error that stopped it, with that sum. */
export function storedAnswer(
  appends: Appends,
  counted: Counted,
  more: Readonly<Record<string, unknown>> = {},
): Response {
  const error = stoppedBy(appends, counted);
  if (error !== null) throw error;
  return json({ ...appends.summary(), ...more });
}

/** The error that stopped a request, if one did. */
export function stoppedBy(appends: Appends, counted: Counted): HttpError | null {
  const { failure } = appends;
  if (failure === null) return null;
  const { error, index } = failure;
  const details = { [counted]: index };
  return stopped(error, `${counted} ${index}`, { details, stored: appends.summary() });
}

/** What stopped a request that had more to store, with what was stored before. */
export function stopped(
  error: unknown,
  where: string,
  more: { details: Readonly<Record<string, unknown>>; stored: unknown },
): HttpError {
  const known = error instanceof BrokerError ? error : null;
  const options = known instanceof HttpError ? known.options : {};
  return new HttpError(
    known?.code ?? "UNKNOWN_SERVER_ERROR",
    `${where}: ${known?.message ?? "the server failed to store it; its log says why"}`,
    {
      ...options,
      details: { ...options.details, ...more.details },
      beside: { stored: more.stored },
      cause: error,
    },
  );
}
