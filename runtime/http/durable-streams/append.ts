// POST: appends one record, or one per element of a JSON array, and may close the stream with it. One batch, one
// append: whatever the writer says of itself stands in the last record's headers.

import type { Context } from "hono";
import { withBody } from "../body.ts";
import { HttpError, invalid } from "../error.ts";
import type { Door } from "../route.ts";
import { standingHeaders } from "./answer-headers.ts";
import { conflict, contentTypeIn } from "./create.ts";
import { messagesOf } from "./messages.ts";
import { readClosed, readProducer, readSeq } from "./request-headers.ts";
import { contentTypeDefault, mediaType } from "./stream-config.ts";
import type { AppendOutcome } from "./stream-log.ts";
import { streamPath } from "./stream-name.ts";
import type { Stream, StreamTable } from "./stream-table.ts";
import type { Claim, WriterState } from "./writer-state.ts";

export async function appendToStream(
  door: Door,
  table: StreamTable,
  context: Context,
  appended: (stream: Stream) => void,
): Promise<Response> {
  const stream = await table.find(streamPath(context.req.path));
  table.life.touch(stream.topic);
  return withBody(door, context, async (body) => {
    const claim = {
      producer: readProducer(context),
      seq: readSeq(context),
      closes: readClosed(context),
      hasBody: body.length > 0,
    };
    if (!claim.hasBody && !claim.closes) {
      throw invalid("body: empty; only a POST that closes the stream may be");
    }
    const contentType = claim.hasBody ? contentTypeIn(context) : null;
    if (claim.hasBody && contentType === null) throw invalid("content-type: missing");
    const { isJson } = stream.config;
    const check = () => {
      if (contentType !== null) checkType(stream, contentType);
    };
    const isOurType = contentType === null || isSameType(stream, contentType);
    const values = claim.hasBody && isOurType ? messagesOf(body, { isJson }) : [];
    if (isOurType && claim.hasBody && values.length === 0) throw invalid("body: an empty array");
    const outcome = await stream.log.append({ claim, values, check });
    if (outcome.verdict.kind === "append") appended(stream);
    return answer(stream, claim, outcome);
  });
}

function isSameType({ config }: Stream, contentType: string): boolean {
  if (contentType === config.contentType) return true;
  return mediaType(contentType) === mediaType(config.contentType ?? contentTypeDefault);
}

function checkType(stream: Stream, contentType: string): void {
  if (isSameType(stream, contentType)) return;
  const { config } = stream;
  throw conflict(`content-type: the stream's is ${config.contentType ?? contentTypeDefault}`);
}

function answer(stream: Stream, claim: Claim, { verdict, state, end }: AppendOutcome): Response {
  const { producer } = claim;
  const last = state.isClosed ? state.closedAt : end;
  switch (verdict.kind) {
    case "append":
      return stored(stream, state, {
        end: claim.closes ? state.closedAt : end,
        status: producer === null || !claim.hasBody ? 204 : 200,
        producer,
      });
    case "duplicate":
      return stored(stream, state, { end: last, status: 204, producer: verdict.producer });
    case "closed":
      throw conflict("the stream is closed", standing(stream, state, last));
    case "stale-epoch":
      throw new HttpError("INVALID_PRODUCER_EPOCH", "producer-epoch: a newer one has begun", {
        status: 403,
        headers: { "producer-epoch": String(verdict.epoch) },
      });
    case "epoch-start":
      throw invalid("producer-seq: a new epoch begins at 0");
    case "gap":
      throw conflict(`producer-seq: ${verdict.expected} is next`, {
        "producer-expected-seq": String(verdict.expected),
        "producer-received-seq": String(producer?.seq ?? 0),
      });
    case "late-seq":
      throw conflict(`stream-seq: not after ${JSON.stringify(verdict.last)}, the last one`);
  }
}

function stored(
  stream: Stream,
  state: WriterState,
  { end, status, producer }: { end: number; status: number; producer: Claim["producer"] },
): Response {
  const headers = standing(stream, state, end);
  if (producer !== null) {
    headers["producer-epoch"] = String(producer.epoch);
    headers["producer-seq"] = String(producer.seq);
  }
  return new Response(null, { status, headers });
}

function standing(stream: Stream, state: WriterState, end: number): Record<string, string> {
  return standingHeaders({ position: stream.base + end, isClosed: state.isClosed });
}
