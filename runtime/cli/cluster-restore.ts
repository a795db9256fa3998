// `cluster restore`: the metadata service lost what the brokers know; one of their copies, or a kept one, is written back
// above everything that anyone has seen. Shows what it is about to do, and looks afterwards whether all follow.

import { readFileSync } from "node:fs";
import type { Admin, HeldCopy, MetadataCopies, MetadataCopy } from "../client/mod.ts";
import { type Answered, answered, describeCopy, newestOf } from "./cluster-snapshot.ts";
import type { Call } from "./commands.ts";
import { confirm } from "./confirm.ts";
import { withAdmin } from "./connection.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";
import type { Flags } from "./flags.ts";
import { type Column, printRows } from "./output.ts";
import { thePlatform } from "./platform.ts";
import type { Shell } from "./shell.ts";

const BROKER_ID_MAX = 2 ** 31 - 1;
/** How long the others may take to follow what was written. */
const FOLLOW_MS_MAX = 15_000;
const FOLLOW_LOOK_MS = 200;

interface Plan {
  /** Whose copy; undefined: a file. */
  readonly source: Answered | undefined;
  /** Writes it. */
  readonly writer: Answered;
  readonly what: string;
}

export async function clusterRestore({ shell, flags }: Call): Promise<ExitCode> {
  const file = flags.text("from");
  const chosen = flags.integer("broker", { min: 0, max: BROKER_ID_MAX });
  if (file !== undefined && (chosen !== undefined || flags.isSet("newest"))) {
    throw usageError("--from is a kept copy: without --broker and --newest");
  }
  const kept = file === undefined ? undefined : readKept(file);
  return withAdmin(shell, async ({ copies }) => {
    const held = await copies.list();
    const plan = planOf(held, { file, chosen });
    // Programs get one table: the one that is true in the end.
    const isForPeople = shell.output === "table" || shell.output === "wide";
    if (isForPeople || plan === undefined || flags.isSet("dryRun")) await printCopies(shell, held);
    if (plan === undefined) {
      shell.note("nothing was lost: all brokers follow the metadata service");
      return ExitCode.done;
    }
    checkComplete(held, flags);
    shell.note(`to do: ${plan.what}`);
    if (flags.isSet("dryRun")) return ExitCode.done;
    await confirm(shell, { what: plan.what, answer: "restore" });
    const snapshot = kept ?? (await copies.snapshot(plan.source!));
    const restored = await copies.restore(plan.writer, snapshot);
    return report(shell, copies, restored);
  });
}

/** Undefined: nothing is to be done. */
function planOf(
  held: readonly HeldCopy[],
  { file, chosen }: { readonly file: string | undefined; readonly chosen: number | undefined },
): Plan | undefined {
  const all = answered(held);
  const behind = all.filter(({ copy }) => copy.isBehind);
  if (behind.length === 0 && file === undefined && chosen === undefined) return undefined;
  const source =
    chosen === undefined ? newestOf(behind.length > 0 ? behind : all) : find(all, chosen);
  // Whoever follows the service knows what was written there since: nothing of that is lost then.
  const following = all.filter(({ copy }) => !copy.isBehind && copy.isConnected);
  const writer = following.length > 0 ? newestOf(following) : source;
  const from = file ?? describeCopy(source);
  const what = `write ${from} to the metadata service, through broker ${writer.id}`;
  return { source: file === undefined ? source : undefined, writer, what };
}

function find(all: readonly Answered[], id: number): Answered {
  const found = all.find((each) => each.id === id);
  if (found) return found;
  throw new CliError(`broker ${id} does not answer`, { exitCode: ExitCode.unreachable });
}

function checkComplete(held: readonly HeldCopy[], flags: Flags): void {
  const absent = held.filter(({ copy }) => copy === null).map(({ id }) => id);
  if (absent.length === 0 || flags.isSet("incomplete")) return;
  throw new CliError(
    `${absent.length === 1 ? "broker" : "brokers"} ${absent.join(", ")} may have a newer copy`,
    { hints: ["start them first, or say --incomplete if they are gone for good"] },
  );
}

async function report(
  shell: Shell,
  copies: MetadataCopies,
  { version, controllerEpoch }: MetadataCopy,
): Promise<ExitCode> {
  const held = await followed(copies, version);
  await printCopies(shell, held);
  const left = held.filter(({ copy }) => !isFollowing(copy, version));
  shell.note(`written: controller epoch ${controllerEpoch}, version ${version}`);
  if (left.length === 0) return ExitCode.done;
  shell.warn(`not following yet: ${left.map(({ id }) => `broker ${id}`).join(", ")}`);
  return ExitCode.failed;
}

async function followed(copies: Admin["copies"], version: number): Promise<readonly HeldCopy[]> {
  const { clock } = thePlatform();
  const endMs = clock.monotonicMs() + FOLLOW_MS_MAX;
  for (;;) {
    const held = await copies.list();
    const isDone = held.every(({ copy }) => copy === null || isFollowing(copy, version));
    if (isDone || clock.monotonicMs() > endMs) return held;
    await new Promise<void>((resolve) => {
      clock.after(FOLLOW_LOOK_MS, resolve, { keepAlive: true });
    });
  }
}

function isFollowing(copy: MetadataCopy | null, version: number): boolean {
  return copy?.isConnected === true && !copy.isBehind && copy.version >= version;
}

async function printCopies(shell: Shell, held: readonly HeldCopy[]): Promise<void> {
  const columns: readonly Column[] = [
    { key: "broker" },
    { key: "controllerEpoch", title: "controller epoch" },
    { key: "version" },
    { key: "topics" },
    { key: "state" },
  ];
  const rows = held.map(({ id, copy, why }) => ({
    broker: id,
    controllerEpoch: copy?.controllerEpoch ?? null,
    version: copy?.version ?? null,
    topics: copy?.topics ?? null,
    state: copy === null ? why : stateOf(copy),
  }));
  await printRows(shell, columns, rows);
}

function stateOf({ isBehind, isConnected, alarm }: MetadataCopy): string {
  if (isBehind) return "knows more than the metadata service";
  if (!isConnected) return "does not reach the metadata service";
  return alarm ?? "follows";
}

function readKept(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw usageError(`${file} cannot be read: ${why}`);
  }
}
