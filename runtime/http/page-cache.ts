// Which pages of records a cache may keep. A page that begins at a given offset and ends below the log's end is the same
// for everybody and gets no longer; but compaction takes records out of it, and retention and deletion all of them. So
// none is kept for ever: a minute, and then its tag is asked for. Others are not kept at all.

import type { Context } from "hono";

/** Also of pages of streams. What was deleted may be read from a cache for so long. */
export const cachedPage = "public, max-age=60, stale-while-revalidate=300";
/** For answers to somebody in particular. */
const cachedPrivately = "private, max-age=60";
const uncached = "no-store";

export interface ClosedPage {
  /** A topic made again under its name has another. */
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly nextOffset: number;
  /** Where what is decided ends: what lies below stays. */
  readonly endOffset: number;
  /** What changes when records are taken out. */
  readonly size: number;
}

/** Puts what a cache needs to know on the answer; 304 instead of it for a client that has the page. */
export function cacheable(context: Context, answer: Response, page: ClosedPage): Response {
  const { offset, nextOffset, endOffset, topicId, partition, size } = page;
  const isNumbered = /^\d+$/.test(context.req.query("offset") ?? "");
  if (!isNumbered || nextOffset <= offset || nextOffset >= endOffset) {
    answer.headers.set("cache-control", uncached);
    return answer;
  }
  const isPersonal = context.req.header("authorization") !== undefined;
  const tag = `W/"${topicId}:${partition}:${offset}:${nextOffset}:${size}"`;
  answer.headers.set("cache-control", isPersonal ? cachedPrivately : cachedPage);
  answer.headers.set("etag", tag);
  // The form of the page is chosen by it.
  answer.headers.append("vary", "accept");
  if (!isMatch(context.req.header("if-none-match"), tag)) return answer;
  void answer.body?.cancel();
  const headers = new Headers(answer.headers);
  headers.delete("content-length");
  return new Response(null, { status: 304, headers });
}

/** Whether If-None-Match names `tag`; weak or not makes no difference there. */
export function isMatch(given: string | undefined, tag: string): boolean {
  if (given === undefined) return false;
  if (given.trim() === "*") return true;
  const plain = (text: string) => text.trim().replace(/^W\//, "");
  return given.split(",").some((each) => plain(each) === plain(tag));
}
