// The records of one partition as SSE, for all who follow it at once: the own door's side of `LiveFeed`.

import type { DecodedRecord } from "../../storage-wasm/core.ts";
import type { FetchRequest } from "../broker.ts";
import { isUnexpected } from "./error.ts";
import { decodeFetched } from "./fetched-records.ts";
import { LiveFeeds, type Turn, type TurnRequest, type TurnSource } from "./live-feed.ts";
import { LiveTail, SharedForm } from "./live-tail.ts";
import { readPartition } from "./partition-read.ts";
import { type RecordView, recordJson } from "./record-output.ts";
import type { Door } from "./route.ts";

interface RecordTurn extends Turn {
  readonly records: readonly DecodedRecord[];
}

export interface LivePlace {
  readonly topic: string;
  readonly partition: number;
  readonly isolation: FetchRequest["isolation"];
}

export interface LiveOptions {
  readonly offset: number;
  readonly view: RecordView;
  readonly release: () => void;
}

export class LiveRecords {
  readonly #door: Door;
  readonly #feeds: LiveFeeds<RecordTurn>;

  constructor(door: Door) {
    this.#door = door;
    this.#feeds = new LiveFeeds(door.platform.clock);
  }

  /** A tail from `offset` on. Throws what is wrong with it while there is a status to say it with. */
  async open(
    place: LivePlace,
    { offset, view, release }: LiveOptions,
  ): Promise<LiveTail<RecordTurn>> {
    const key = this.#keyOf(place);
    const source = this.#source(place);
    const head = this.#feeds.head(key);
    const end = head === undefined || head <= offset ? {} : { endPosition: head };
    const first = await source.read({ position: offset, waitMs: 0, ...end });
    const feed = this.#feeds.open(key, () => source);
    const opening = `retry: 1000\nid: ${offset - 1}\n\n`;
    const lifeMs = this.#door.config.limits.streamLifeMsMax;
    const viewKey = `${view.keyEncoding}/${view.valueEncoding}`;
    const form = feed.form(viewKey, () => formOf(place.partition, view));
    return new LiveTail(feed, { form, first, opening, lifeMs, release });
  }

  /** A topic made again under its name is another one. */
  #keyOf({ topic, partition, isolation }: LivePlace): string {
    const id = this.#door.broker.cluster().topics.get(topic)?.id ?? "";
    return `${id}/${topic}/${partition}/${isolation}`;
  }

  #source(place: LivePlace): TurnSource<RecordTurn> {
    const { report, config } = this.#door;
    return {
      read: (request) => readRecords(this.#door, place, request),
      keepaliveMs: config.limits.sseKeepaliveMs,
      report: (error) => {
        if (isUnexpected(error)) report(error, "a stream of records");
      },
    };
  }
}

function formOf(partition: number, view: RecordView): SharedForm<RecordTurn> {
  return new SharedForm(({ records }) => {
    let text = "";
    for (const record of records) {
      text += `id: ${record.offset}\ndata: ${recordJson(record, partition, view)}\n\n`;
    }
    return text;
  });
}

async function readRecords(
  door: Door,
  { topic, partition, isolation }: LivePlace,
  { position, endPosition = Number.POSITIVE_INFINITY, waitMs, signal }: TurnRequest,
): Promise<RecordTurn> {
  const { streamChunkBytes: bytesMax, fetchWaitMsMax } = door.config.limits;
  const place = { topic, partition, isolation, bytesMax, signal };
  const wait = Math.min(waitMs, fetchWaitMsMax);
  const fetched = await readPartition(door, { ...place, offset: position, waitMs: wait });
  const range = { offset: position, endOffset: endPosition, recordsMax: Number.POSITIVE_INFINITY };
  const { records, nextOffset } = await decodeFetched(door, fetched, range);
  const end = isolation === "read_committed" ? fetched.lastStableOffset : fetched.highWatermark;
  return {
    records,
    from: position,
    next: nextOffset,
    isUpToDate: nextOffset >= end,
    isLast: false,
  };
}
