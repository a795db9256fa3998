// With which of Kafka's errors something is refused.

import { BrokerError } from "../../runtime/errors.ts";

/** The code of the BrokerError that it throws or rejects with, "NONE" without one; other errors are thrown on. */
export async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === "function" ? work() : work);
    return "NONE";
  } catch (error) {
    if (error instanceof BrokerError) return error.code;
    throw error;
  }
}
