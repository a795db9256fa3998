// Item error: how one entry of an admin answer says that it failed. Handlers catch per entry, so that one bad
// topic or resource never fails its neighbours.

import type { ErrorName } from "../errors.ts";
import { type ErrorAnswer, errorAnswer, errorCodes } from "./error-codes.ts";
import type { HandlerContext } from "./handler.ts";

/** Messages repeat names that clients sent, and a string of an inflexible version holds 32,767 bytes at most. */
const messageLengthMax = 1_000;

/** What `error` is to the client; unexpected ones are reported under `doing`. */
export function itemError(error: unknown, context: HandlerContext, doing: string): ErrorAnswer {
  const answer = errorAnswer(error, doing, context.report);
  return { ...answer, errorMessage: answer.errorMessage && clip(answer.errorMessage) };
}

export function refusal(name: ErrorName, message: string): ErrorAnswer {
  return { errorCode: errorCodes[name], errorMessage: clip(message) };
}

/** Values that occur more than once. */
export function duplicates<T>(values: readonly T[]): ReadonlySet<T> {
  const seen = new Set<T>();
  const twice = new Set<T>();
  for (const value of values) {
    if (seen.has(value)) twice.add(value);
    seen.add(value);
  }
  return twice;
}

function clip(message: string): string {
  return message.length <= messageLengthMax ? message : `${message.slice(0, messageLengthMax)}…`;
}
