// LargeAnswers: what pages of records take of memory while their readers take their time. Nobody is refused and nobody
// waits: the fuller it is, the smaller the next page, and every page says where the next one begins.

import type { HttpLimits } from "./limits.ts";

/** A page that is alone may take this part of what is free. */
const partOfFree = 4;
/** Below it an answer is the socket's: it is handed over in one piece, and not counted. */
const largeBytes = 64 * 1024;
const chunkBytes = 256 * 1024;

/** What one page may take; given back once, whatever happens. */
export interface PageLease {
  readonly bytesMax: number;
  release(): void;
}

export class LargeAnswers {
  readonly #limits: Pick<HttpLimits, "pagesBytesMax" | "pageBytesMin">;
  #held = 0;

  constructor(limits: Pick<HttpLimits, "pagesBytesMax" | "pageBytesMin">) {
    this.#limits = limits;
  }

  take(bytesWanted: number): PageLease {
    const { pagesBytesMax, pageBytesMin } = this.#limits;
    const share = Math.floor((pagesBytesMax - this.#held) / partOfFree);
    const bytesMax = Math.min(bytesWanted, Math.max(pageBytesMin, share));
    this.#held += bytesMax;
    let isHeld = true;
    const release = () => {
      if (isHeld) this.#held -= bytesMax;
      isHeld = false;
    };
    return { bytesMax, release };
  }
}

const headers = { "content-type": "application/json; charset=utf-8" };

/** A JSON answer that holds its lease until the last of it was taken, or its reader has gone. */
export function pageAnswer(text: string, lease: PageLease, signal: () => AbortSignal): Response {
  if (text.length <= largeBytes) {
    lease.release();
    return new Response(text, { headers });
  }
  const bytes = new TextEncoder().encode(text);
  signal().addEventListener("abort", lease.release, { once: true });
  let at = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(bytes.subarray(at, at + chunkBytes));
        at += chunkBytes;
        if (at < bytes.length) return;
        lease.release();
        controller.close();
      },
      cancel: lease.release,
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { ...headers, "content-length": `${bytes.length}` } });
}
