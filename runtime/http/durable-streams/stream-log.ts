// StreamLog: one stream's partition as its writers meet it. Appends are judged here by the state of the writers and
// stored on condition that the log ends where that state ends: whoever else wrote, through any broker, makes the
// condition fail, and the append is judged again. No lock, no owner, no write beside the record itself.

import type { DecodedRecord, RecordInput } from "../../../storage-wasm/core.ts";
import type { Appended, TopicPartition } from "../../broker.ts";
import { BrokerError } from "../../errors.ts";
import { busy } from "../body.ts";
import { decodeFetched } from "../fetched-records.ts";
import { readPartition } from "../partition-read.ts";
import { recordBytes } from "../record-writer.ts";
import type { Door } from "../route.ts";
import { AppendGroup } from "./append-group.ts";
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
  #underWay: AppendGroup[] = [];
  /** The last of them, while others may still join it. */
  #gathering: AppendGroup | null = null;
  /** One of this turn was sent at once: the others of the turn wait for each other. */
  #hasSentAlone = false;
  /** The last turn brought several: the next one may too. */
  #isCrowded = false;
  #groupBytesMax: number;
  #failures = 0;

  constructor(door: Door, place: TopicPartition) {
    this.#door = door;
    this.place = place;
    this.#groupBytesMax = door.config.limits.batchBytesMax;
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
      const { group, end } = this.#join(state, append);
      try {
        await group.stored;
        return { verdict, state, end };
      } catch (error) {
        if (!isElsewhere(error) && !this.#wasTooLarge(group, error)) throw error;
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

  /** Puts an append that is judged into the group of this turn; the first of a quiet turn is a group by itself. */
  #join(state: WriterState, { claim, values }: StreamAppend): { group: AppendGroup; end: number } {
    const headers = state.headers(claim);
    const timestampMs = this.#door.platform.clock.nowMs();
    const records = values.map((value): RecordInput => ({ key: null, value, timestampMs }));
    if (records.length === 0) records.push({ key: null, value: null, timestampMs });
    if (headers.length > 0) records.push({ ...records.pop()!, headers });
    let bytes = 0;
    for (const record of records) bytes += recordBytes(record);
    const group = this.#groupFor(state, bytes);
    const end = group.add(records, bytes, state.apply(claim, records.length));
    if (group.bytes >= this.#groupBytesMax || group !== this.#gathering) this.#send(group);
    return { group, end };
  }

  #groupFor(state: WriterState, bytes: number): AppendGroup {
    const open = this.#gathering;
    if (open !== null) {
      if (open.bytes + bytes <= this.#groupBytesMax) return open;
      this.#send(open);
    }
    const group = new AppendGroup(state.end);
    this.#underWay.push(group);
    const { clock } = this.#door.platform;
    if (!this.#isCrowded && !this.#hasSentAlone) {
      // A writer that is alone would only wait for the turn's end.
      this.#hasSentAlone = true;
      clock.soon(() => {
        this.#hasSentAlone = false;
      });
      return group;
    }
    this.#gathering = group;
    clock.soon(() => {
      this.#isCrowded = group.appends > 1;
      this.#send(group);
    });
    return group;
  }

  #send(group: AppendGroup): void {
    if (group.isSent) return;
    group.isSent = true;
    if (this.#gathering === group) this.#gathering = null;
    const { expectedOffset, records } = group;
    const timeoutMs = this.#door.config.limits.produceTimeoutMsMax;
    try {
      const batch = this.#door.platform.core.encode(records, { compression: null });
      const request = { ...this.place, batch, acks: -1, timeoutMs, expectedOffset } as const;
      const appending = this.#door.broker.append(request);
      if (appending instanceof Promise) {
        appending.then(
          (appended) => this.#stored(group, appended),
          (error: unknown) => this.#failed(group, error),
        );
      } else this.#stored(group, appending);
    } catch (error) {
      this.#failed(group, error);
    }
  }

  #stored(group: AppendGroup, appended: Appended): void {
    const at = this.#underWay.indexOf(group);
    if (at >= 0) this.#underWay.splice(at, 1);
    group.succeed(appended);
  }

  /** Takes back what was counted on, from the group that failed on, and reads what the log says instead. */
  #failed(group: AppendGroup, error: unknown): void {
    group.fail(error);
    this.#failures++;
    const at = this.#underWay.indexOf(group);
    if (at < 0) return;
    const gone = this.#underWay.splice(at);
    for (const each of gone.reverse()) {
      each.undo();
      // What was not sent yet is judged again; the others find out by themselves that the log ends elsewhere.
      if (!each.isSent) each.fail(elsewhere());
      each.isSent = true;
    }
    this.#gathering = null;
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

  /** Messages that each fit did not fit together: the topic takes less than this door gathers. */
  #wasTooLarge({ appends, bytes }: AppendGroup, error: unknown): boolean {
    if (appends === 1 || !(error instanceof BrokerError)) return false;
    if (error.code !== "MESSAGE_TOO_LARGE") return false;
    this.#groupBytesMax = Math.min(this.#groupBytesMax, bytes / 2);
    return true;
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

/** The log ends elsewhere: somebody else wrote. */
function isElsewhere(error: unknown): boolean {
  return error instanceof BrokerError && error.code === "OPERATION_NOT_ATTEMPTED";
}

function elsewhere(): BrokerError {
  return new BrokerError("OPERATION_NOT_ATTEMPTED", "an append before this one failed");
}
