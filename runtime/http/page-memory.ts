// PageMemory: memory of pages that is used again once their answers have left. Fresh memory for each megabyte costs a
// collection of all garbage every dozen pages, and the kernel a page fault every 4 KiB. Where a platform does not tell
// when an answer has left, every page has fresh memory.

import type { Context } from "hono";
import type { HttpContext } from "../platform.ts";

/** A page of 1 MiB, and the batch that passes its end, as most are. */
const pageBytes = 1280 * 1024;
/** Smaller ones cost nothing. */
const pageBytesMin = 64 * 1024;
/** Kept while nobody needs them. */
const sparePagesMax = 4;

export class PageMemory {
  readonly #spare: Uint8Array[] = [];

  /** At least `bytes` for the answer to `context`; what lies there is anything. */
  take(context: Context, bytes: number): Uint8Array {
    const { whenSent } = (context.env ?? {}) as HttpContext;
    if (bytes < pageBytesMin || bytes > pageBytes || whenSent === undefined) {
      return new Uint8Array(bytes);
    }
    const memory = this.#spare.pop() ?? new Uint8Array(pageBytes);
    whenSent.call(context.env, () => {
      if (this.#spare.length < sparePagesMax) this.#spare.push(memory);
    });
    return memory;
  }
}
