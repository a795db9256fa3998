// From what was typed after -o to numbers: where each partition's reading begins and, if it ends, before which
// offset. The ends are those seen now, so that reading ends in a busy topic, too.

import type { Admin, ConsumerOptions, OffsetSpec } from "../client/mod.ts";
import { CliError, ExitCode } from "./exit.ts";
import type { OffsetStart, OffsetStop } from "./offset-spec.ts";
import type { Shell } from "./shell.ts";

export interface ConsumeRange {
  readonly partition: number;
  readonly start: number;
  /** Exclusive; null: on and on. */
  readonly stop: number | null;
}

export interface RangeRequest {
  readonly admin: Admin;
  readonly shell: Shell;
  readonly topic: string;
  readonly partitions: readonly number[];
  readonly isolation: NonNullable<ConsumerOptions["isolation"]>;
  readonly start: OffsetStart;
  readonly stop: OffsetStop | null;
}

export async function resolveRanges(request: RangeRequest): Promise<ConsumeRange[]> {
  const { start, stop, partitions } = request;
  const [earliest, latest, startTimes, stopTimes] = await Promise.all([
    list(request, "earliest"),
    list(request, "latest"),
    start.kind === "time" ? list(request, { timestampMs: start.timeMs }) : null,
    stop?.kind === "time" ? list(request, { timestampMs: stop.timeMs }) : null,
  ]);
  return partitions.map((partition, i) => {
    const first = earliest[i] as number;
    const end = latest[i] as number;
    return {
      partition,
      start: startOf(request, { partition, first, end, atTime: startTimes?.[i] ?? -1 }),
      stop: stop === null ? null : stopOf(stop, { end, atTime: stopTimes?.[i] ?? -1 }),
    };
  });
}

async function list(request: RangeRequest, spec: OffsetSpec): Promise<number[]> {
  const { admin, topic, partitions, isolation } = request;
  const asked = partitions.map((partition) => ({ topic, partition, spec }));
  const offsets = await admin.listOffsets(asked, { isolation });
  return offsets.map(({ error, offset }) => {
    if (error) throw error;
    return offset;
  });
}

function startOf(
  { start, topic, shell }: RangeRequest,
  at: { partition: number; first: number; end: number; atTime: number },
): number {
  switch (start.kind) {
    case "begin":
      return at.first;
    case "end":
      return at.end;
    case "tail":
      return Math.max(at.first, at.end - start.count);
    case "time":
      // No record at or after it: only what comes from now on.
      return at.atTime < 0 ? at.end : at.atTime;
    case "offset":
      return checkedOffset(start.offset, `${topic}-${at.partition}`, at, shell);
  }
}

/** Deleted records are passed over with a note; an offset that is not written yet is a mistake. */
function checkedOffset(
  offset: number,
  place: string,
  { first, end }: { first: number; end: number },
  shell: Shell,
): number {
  if (offset < first) {
    shell.warn(`${place}: offset ${offset} is no longer there, reading from ${first}`);
    return first;
  }
  if (offset <= end) return offset;
  throw new CliError(`${place}: offset ${offset} is above the end, which is ${end}`, {
    exitCode: ExitCode.usage,
    hints: [`-o end waits for the next record; -p limits to partitions that have the offset`],
  });
}

function stopOf(stop: OffsetStop, at: { end: number; atTime: number }): number {
  if (stop.kind === "offset") return stop.offset;
  return stop.kind === "time" && at.atTime >= 0 ? at.atTime : at.end;
}
