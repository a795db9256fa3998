// One signed call of a webhook. Redirects are not followed: they would lead around the check of the URL.

import type { Door } from "../../route.ts";
import type { SigningKey } from "./signing-key.ts";

const callMsMax = 10_000;
/** Of the answer, which need say no more than {"done":true}. */
const answerBytesMax = 64 * 1024;

/** "taken": the receiver calls back. "later": the server stops. */
export type CallOutcome = "done" | "taken" | "failed" | "later";

export async function callWebhook(
  door: Door,
  { url, body, key }: { url: string; body: string; key: SigningKey },
): Promise<CallOutcome> {
  const { clock } = door.platform;
  const seconds = Math.floor(clock.nowMs() / 1000);
  const signature = `t=${seconds},kid=${key.kid},ed25519=${await key.sign(`${seconds}.${body}`)}`;
  const stop = new AbortController();
  const timer = clock.after(callMsMax, () => stop.abort());
  const closing = () => stop.abort();
  door.closing?.addEventListener("abort", closing, { once: true });
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "webhook-signature": signature },
      body,
      redirect: "manual",
      signal: stop.signal,
    });
    const text = await boundedText(answer);
    if (!answer.ok) return "failed";
    return isDone(text) ? "done" : "taken";
  } catch {
    return door.closing?.aborted ? "later" : "failed";
  } finally {
    timer.cancel();
    door.closing?.removeEventListener("abort", closing);
  }
}

async function boundedText({ body }: Response): Promise<string> {
  if (body === null) return "";
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return text;
    bytes += value.length;
    text += decoder.decode(value, { stream: true });
    if (bytes <= answerBytesMax) continue;
    await reader.cancel();
    return "";
  }
}

function isDone(text: string): boolean {
  try {
    return (JSON.parse(text) as { done?: unknown } | null)?.done === true;
  } catch {
    return false;
  }
}
