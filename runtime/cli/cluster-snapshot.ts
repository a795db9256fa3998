// `cluster snapshot`: the newest copy of the cluster's metadata as a file, for the day on which no broker has one.

import { renameSync, writeFileSync } from "node:fs";
import type { HeldCopy, MetadataCopy } from "../client/mod.ts";
import type { Call } from "./commands.ts";
import { withAdmin } from "./connection.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";
import { formatBytes, formatCounted } from "./output.ts";

/** A broker and its copy. */
export type Answered = HeldCopy & { readonly copy: MetadataCopy };

export async function clusterSnapshot({ shell, flags }: Call): Promise<ExitCode> {
  const file = flags.text("out");
  if (file === undefined) throw usageError("where should it go?", "say --out FILE");
  return withAdmin(shell, async ({ copies }) => {
    const newest = newestOf(answered(await copies.list()));
    const bytes = await copies.snapshot(newest);
    writeWhole(file, bytes);
    shell.note(`${file}: ${formatBytes(bytes.length)}, ${describeCopy(newest)}`);
    return ExitCode.done;
  });
}

/** Those who answered. Throws if nobody did. */
export function answered(held: readonly HeldCopy[]): Answered[] {
  const all = held.flatMap((each) => (each.copy === null ? [] : [{ ...each, copy: each.copy }]));
  if (all.length > 0) return all;
  throw new CliError(`no broker has a copy of the metadata: ${held[0]?.why ?? "none answers"}`, {
    exitCode: ExitCode.unreachable,
    hints: ["brokers of a cluster have one: those started with --nats or --brokers"],
  });
}

/** A takeover counts more than what was written before it. */
export function newestOf(all: readonly Answered[]): Answered {
  return all.reduce((best, each) => {
    const epochs = each.copy.controllerEpoch - best.copy.controllerEpoch;
    return (epochs || each.copy.version - best.copy.version) > 0 ? each : best;
  });
}

export function describeCopy({ id, copy }: Answered): string {
  const what = `${formatCounted(copy.topics, "topic")}, ${formatCounted(copy.partitions, "partition")}`;
  return `broker ${id}'s copy: controller epoch ${copy.controllerEpoch}, version ${copy.version}, ${what}`;
}

/** The old one stays until the new one is whole. */
function writeWhole(file: string, bytes: Uint8Array): void {
  const begun = `${file}.part`;
  try {
    writeFileSync(begun, bytes, { flush: true });
    renameSync(begun, file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(`${file} cannot be written: ${why}`, { cause });
  }
}
