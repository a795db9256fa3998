// PulledStream: an answer that reads by itself, one turn of its `Tail` whenever the client has taken the last: NDJSON,
// and SSE over several partitions, whose ids no other client shares. What follows one partition is a `LiveTail`.

import type { BodySink, BodySource } from "../pushed-body.ts";
import { isUnexpected } from "./error.ts";
import type { Door } from "./route.ts";
import type { Tail, TailRecord } from "./tail.ts";

/** How a stream is written. */
export interface StreamForm {
  readonly headers: Readonly<Record<string, string>>;
  opening(): string;
  records(records: readonly TailRecord[]): string;
  /** After a silence; empty where the form has nothing to say then. */
  silence(): string;
  error(error: unknown): string;
}

export interface StreamParts {
  readonly tail: Tail;
  readonly form: StreamForm;
  readonly first: readonly TailRecord[];
  readonly release: () => void;
}

export class PulledStream implements BodySource {
  readonly #door: Door;
  readonly #parts: StreamParts;
  readonly #gone = new AbortController();
  readonly #endsAtMs: number;
  readonly #encoder = new TextEncoder();
  #sink: BodySink | null = null;
  #isReady = false;
  #isReading = false;

  constructor(door: Door, parts: StreamParts) {
    this.#door = door;
    this.#parts = parts;
    this.#endsAtMs = door.platform.clock.monotonicMs() + door.config.limits.streamLifeMsMax;
  }

  start(sink: BodySink): void {
    const { form, first } = this.#parts;
    this.#sink = sink;
    this.#isReady = true;
    this.#write(form.opening() + form.records(first));
    void this.#goOn();
  }

  ready(): void {
    this.#isReady = true;
    void this.#goOn();
  }

  gone(): void {
    this.#sink = null;
    this.#gone.abort();
    this.#parts.release();
  }

  async #goOn(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#isReady && this.#sink !== null) {
      const text = await this.#next();
      if (text === null) this.#end();
      else this.#write(text);
    }
    this.#isReading = false;
  }

  /** What is to be sent next; null at the end. */
  async #next(): Promise<string | null> {
    const { tail, form } = this.#parts;
    const { clock } = this.#door.platform;
    const { sseKeepaliveMs, fetchWaitMsMax } = this.#door.config.limits;
    const { signal } = this.#gone;
    try {
      while (!tail.isDone && !signal.aborted) {
        const leftMs = this.#endsAtMs - clock.monotonicMs();
        if (leftMs <= 0) return null;
        const waitMs = Math.ceil(Math.min(sseKeepaliveMs, fetchWaitMsMax, leftMs));
        const records = await tail.next(waitMs, signal);
        if (records.length > 0) return form.records(records);
        const silence = signal.aborted ? "" : form.silence();
        if (silence !== "") return silence;
      }
    } catch (error) {
      if (isUnexpected(error) && !signal.aborted) this.#door.report(error, "a stream of records");
      this.#write(form.error(error));
    }
    return null;
  }

  #write(text: string): void {
    if (this.#sink === null || text === "") return;
    this.#isReady = false;
    if (this.#sink.write(this.#encoder.encode(text))) this.#isReady = true;
  }

  #end(): void {
    const sink = this.#sink;
    this.gone();
    sink?.end();
  }
}
