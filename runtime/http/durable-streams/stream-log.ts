// StreamLog: one stream's partition as its writers meet it. Appends are judged here by the state of the writers and
// stored on condition that the log ends where that state ends: whoever else wrote, through any broker, makes the
// condition fail, and the append is judged again. No lock, no owner, no write beside the record itself.

import type { DecodedRecord, RecordInput } from "../../../storage-wasm/core.ts";
import type { Appended, TopicPartition } from "../../broker.ts";
import { BrokerError } from "../../errors.ts";
import { busy } from "../body.ts";
import { decodeFetched } from "../fetched-records.ts";
import { readPartition } from "../partition-read.ts";
import type { Door } from "../route.ts";
import { type Claim, hasSnapshot, type Verdict, WriterState } from "./writer-state.ts";

export interface StreamAppend {
  readonly claim: Claim;
  /** Values, one record each; none only if it closes. */
  readonly values: readonly Uint8Array[];
  /** Refuses what the state allows; called before the claim is judged by sequences, after "closed". */
  readonly check?: () => void;
}

export interface AppendOutcome {
  readonly verdict: Verdict;
  readonly state: WriterState;
  /** Log offset behind what was appended; of a refusal, the end. */
  readonly end: number;
}

/** Others may come first so often; more means that they always will. */
const attemptsMax = 32;
/** Records that others wrote are awaited so long: they become visible when enough replicas have them. */
const othersWaitMs = 250;
const scanBytes = 1024 * 1024;
/** The last records of a log, in which the newest snapshot is looked for; then twice as many, and so on. */
const scanRecordsFirst = 2048;

export class StreamLog {
  readonly place: TopicPartition;
  readonly #door: Door;
  #state: WriterState | null = null;
  #loading: Promise<WriterState> | null = null;
  #catchingUp: Promise<void> | null = null;
  /** Appends whose outcome is not known, oldest first. */
  #underWay: UnderWay[] = [];
  #failures = 0;

  constructor(door: Door, place: TopicPartition) {
    this.#door = door;
    this.place = place;
  }

  /** The state as far as it is known here; null before the first look. */
  get known(): WriterState | null {
    return this.#state;
  }

  async append(append: StreamAppend): Promise<AppendOutcome> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (this.#catchingUp !== null) await this.#catchingUp;
      const state = this.#state ?? (await this.load());
      if (!state.isClosed) append.check?.();
      const verdict = state.judge(append.claim);
      if (verdict.kind !== "append") {
        if (await this.#isCurrent(state)) return { verdict, state, end: state.end };
        continue;
      }
      try {
        const stored = this.#store(state, append);
        const { nextOffset } = stored instanceof Promise ? await stored : stored;
        return { verdict, state, end: nextOffset };
      } catch (error) {
        if (!isElsewhere(error)) throw error;
      }
    }
    throw busy("others write to this stream all the time; try again");
  }

  /** Whether a refusal may rest on `state`: what it counts on is stored, and nobody else wrote since. */
  async #isCurrent(state: WriterState): Promise<boolean> {
    const failures = this.#failures;
    await this.#underWay.at(-1)?.done;
    const end = await this.#offset("latest", "read_uncommitted");
    if (this.#failures !== failures || this.#state !== state) return false;
    if (end <= state.end) return true;
    await this.#catchUp(0);
    return false;
  }

  /** The state up to the log's end as it is now, for who reads at the end or asks for it. */
  async refreshed(): Promise<{ state: WriterState; end: number }> {
    const state = this.#state ?? (await this.load());
    const end = await this.#offset("latest", "read_committed");
    if (end > state.end) await this.#catchUp(0);
    return { state: this.#state ?? (await this.load()), end };
  }

  async load(): Promise<WriterState> {
    this.#loading ??= this.#scan().finally(() => {
      this.#loading = null;
    });
    const state = await this.#loading;
    this.#state ??= state;
    return this.#state;
  }

  #store(state: WriterState, { claim, values }: StreamAppend): Appended | Promise<Appended> {
    const { core, clock } = this.#door.platform;
    const headers = state.headers(claim);
    const timestampMs = clock.nowMs();
    const records = values.map((value): RecordInput => ({ key: null, value, timestampMs }));
    if (records.length === 0) records.push({ key: null, value: null, timestampMs });
    if (headers.length > 0) records.push({ ...records.pop()!, headers });
    const batch = core.encode(records, { compression: null });
    const expectedOffset = state.end;
    const timeoutMs = this.#door.config.limits.produceTimeoutMsMax;
    const request = { ...this.place, batch, acks: -1, timeoutMs, expectedOffset } as const;
    let appending: Appended | Promise<Appended>;
    try {
      appending = this.#door.broker.append(request);
    } catch (error) {
      this.#failed(error, null);
      throw error;
    }
    const undo = state.apply(claim, records.length);
    if (!(appending instanceof Promise)) return appending;
    return this.#follow(appending, undo);
  }

  async #follow(appending: Promise<Appended>, undo: () => void): Promise<Appended> {
    const entry: UnderWay = { undo, done: appending.then(nothing, nothing) };
    this.#underWay.push(entry);
    try {
      const appended = await appending;
      const at = this.#underWay.indexOf(entry);
      if (at >= 0) this.#underWay.splice(at, 1);
      return appended;
    } catch (error) {
      this.#failed(error, entry);
      throw error;
    }
  }

  /** Takes back what was counted on, from the append that failed on, and reads what the log says instead. */
  #failed(error: unknown, entry: UnderWay | null): void {
    this.#failures++;
    const at = entry === null ? this.#underWay.length : this.#underWay.indexOf(entry);
    if (at < 0) return;
    const gone = this.#underWay.splice(at);
    for (const { undo } of gone.reverse()) undo();
    if (isElsewhere(error)) {
      this.#catchUp(othersWaitMs).catch(() => {
        // Whoever needs the state reads it from the log.
        this.#state = null;
      });
      return;
    }
    // It may have been stored all the same: only the log knows.
    this.#state = null;
    this.#underWay = [];
  }

  #catchUp(waitMs: number): Promise<void> {
    this.#catchingUp ??= this.#readOn(waitMs).finally(() => {
      this.#catchingUp = null;
    });
    return this.#catchingUp;
  }

  async #readOn(waitMs: number): Promise<void> {
    const state = this.#state;
    if (state === null) return;
    let wait = waitMs;
    for (;;) {
      const from = state.end;
      const { records, nextOffset, end } = await this.#fetch(from, wait);
      for (const record of records) state.fold(record);
      state.end = Math.max(state.end, nextOffset);
      if (state.end >= end || state.end === from) return;
      wait = 0;
    }
  }

  /** From the newest record that carries the whole state, or from the beginning. */
  async #scan(): Promise<WriterState> {
    const [start, end] = await Promise.all([
      this.#offset("earliest", "read_uncommitted"),
      this.#offset("latest", "read_uncommitted"),
    ]);
    for (let span = scanRecordsFirst; ; span *= 4) {
      const from = Math.max(start, end - span);
      const records = await this.#recordsWithHeaders(from, end);
      const snapshot = records.findLastIndex(hasSnapshot);
      if (snapshot < 0 && from > start) continue;
      const state = new WriterState(snapshot < 0 ? start : records[snapshot]!.offset);
      for (const record of records.slice(Math.max(snapshot, 0))) state.fold(record);
      state.end = Math.max(state.end, end);
      return state;
    }
  }

  async #recordsWithHeaders(from: number, end: number): Promise<DecodedRecord[]> {
    const found: DecodedRecord[] = [];
    for (let offset = from; offset < end; ) {
      const { records, nextOffset } = await this.#fetch(offset, 0);
      for (const record of records) if (record.headers.length > 0) found.push(record);
      if (nextOffset === offset) break;
      offset = nextOffset;
    }
    return found;
  }

  async #fetch(offset: number, waitMs: number) {
    const fetched = await readPartition(this.#door, {
      ...this.place,
      offset,
      bytesMax: scanBytes,
      waitMs,
      isolation: "read_uncommitted",
    });
    const recordsMax = Number.POSITIVE_INFINITY;
    const range = { offset, endOffset: Number.POSITIVE_INFINITY, recordsMax };
    return { ...(await decodeFetched(this.#door, fetched, range)), end: fetched.highWatermark };
  }

  async #offset(
    spec: "earliest" | "latest",
    isolation: "read_committed" | "read_uncommitted",
  ): Promise<number> {
    const found = await this.#door.broker.listOffsets({
      ...this.place,
      spec,
      currentLeaderEpoch: -1,
      isolation,
    });
    if (found.error !== null) throw found.error;
    return found.offset;
  }
}

interface UnderWay {
  undo(): void;
  readonly done: Promise<void>;
}

function nothing(): void {}

/** The log ends elsewhere: somebody else wrote. */
function isElsewhere(error: unknown): boolean {
  return error instanceof BrokerError && error.code === "OPERATION_NOT_ATTEMPTED";
}
