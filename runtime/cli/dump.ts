// `timberline dump PATH…`: what lies in the files of a log, without a server. Tables per file for people, one
// object per row for machines; --verify checks instead of showing; --hex explains one batch byte by byte.

import { annotateBatch, type HexLine } from "./batch-hex.ts";
import type { Call } from "./commands.ts";
import { type DumpFile, findDumpFiles } from "./dump-files.ts";
import { columnsOf, type DumpTools, decodeBatch, type RowOptions, rowsOf } from "./dump-rows.ts";
import { verifyFile } from "./dump-verify.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";
import {
  type Column,
  formatBytes,
  formatCount,
  formatCounted,
  printRows,
  RowStream,
} from "./output.ts";
import { thePlatform } from "./platform.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { Shell } from "./shell.ts";

const OFFSET_RANGE = { min: 0, max: Number.MAX_SAFE_INTEGER };

export async function dump({ shell, args, flags }: Call): Promise<ExitCode | undefined> {
  const files = findDumpFiles(args);
  const { core, codecs } = thePlatform();
  const tools = { core, codecs };
  const hexOffset = flags.integer("hex", OFFSET_RANGE);
  if (hexOffset !== undefined) return dumpHex(shell, files, tools, hexOffset);
  if (flags.isSet("verify")) return dumpVerified(shell, files, tools);
  const options = {
    records: flags.isSet("records") || flags.isSet("headers"),
    headers: flags.isSet("headers"),
    fromOffset: flags.integer("from", OFFSET_RANGE) ?? -1,
  };
  const limit = flags.integer("limit", { min: 1, max: Number.MAX_SAFE_INTEGER }) ?? Infinity;
  return dumpRows(shell, files, tools, { ...options, limit });
}

async function dumpRows(
  shell: Shell,
  files: readonly DumpFile[],
  tools: DumpTools,
  options: RowOptions & { limit: number },
): Promise<ExitCode> {
  const isTable = shell.output === "table" || shell.output === "wide";
  const document = shell.output === "json" ? new JsonArray(shell) : undefined;
  let code: ExitCode = ExitCode.done;
  for (const file of files) {
    if (isTable)
      await shell.write(`${file === files[0] ? "" : "\n"}${shell.paint.cyan(file.path)}\n`);
    const columns = columnsOf(file.kind, options);
    const named = isTable ? columns : [{ key: "file" }, { key: "type" }, ...columns];
    const stream = document ?? new RowStream(shell, named);
    try {
      let count = 0;
      for (const row of rowsOf(file, tools, options)) {
        if (++count > options.limit || shell.signal.aborted) break;
        await stream.add({ file: file.path, ...row });
      }
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      await stream.flush();
      shell.warn(`error: ${error.message}`);
      code = ExitCode.failed;
    }
    await stream.flush();
  }
  await document?.end();
  return code;
}

/** One JSON document out of the rows of several files, without keeping them. */
class JsonArray {
  readonly #shell: Shell;
  #count = 0;

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  add(row: object): Promise<void> {
    return this.#shell.write(`${this.#count++ === 0 ? "[\n" : ",\n"}${JSON.stringify(row)}`);
  }

  async flush(): Promise<void> {}

  end(): Promise<void> {
    return this.#shell.write(this.#count === 0 ? "[]\n" : "\n]\n");
  }
}

async function dumpVerified(
  shell: Shell,
  files: readonly DumpFile[],
  tools: DumpTools,
): Promise<ExitCode> {
  const columns: readonly Column[] = [
    { key: "file" },
    { key: "kind" },
    {
      key: "sizeBytes",
      title: "size",
      show: (value) => formatBytes(Number(value)),
      align: "right",
    },
    { key: "entries" },
    { key: "records" },
    { key: "problemCount", title: "problems" },
  ];
  const results = files.map((file) => verifyFile(file, tools));
  const isTable = shell.output === "table" || shell.output === "wide";
  const shown = isTable ? columns : [...columns, { key: "problems" }];
  await printRows(
    shell,
    shown,
    results.map((result) => ({ ...result })),
  );
  const bad = results.filter((result) => result.problemCount > 0);
  for (const { file, problems, problemCount } of bad) {
    for (const problem of problems) shell.warn(`${shell.paint.red("bad")} ${file}: ${problem}`);
    if (problemCount > problems.length) {
      shell.warn(`    ${file}: and ${formatCount(problemCount - problems.length)} more`);
    }
  }
  if (bad.length === 0)
    shell.note(`ok: ${formatCounted(results.length, "file")} checked, nothing wrong`);
  return bad.length === 0 ? ExitCode.done : ExitCode.checkFalse;
}

async function dumpHex(
  shell: Shell,
  files: readonly DumpFile[],
  tools: DumpTools,
  offset: number,
): Promise<undefined> {
  const logs = files.filter((file) => file.kind === "log");
  if (logs.length === 0) throw usageError("--hex needs a .log file or a folder with one");
  for (const file of logs) {
    const lines = findHexLines(file, tools, offset);
    if (lines) {
      shell.note(`${file.path}: the batch that holds offset ${offset}`);
      return void (await printHex(shell, lines));
    }
  }
  throw new CliError(`offset ${offset} is in none of the ${logs.length} log files`);
}

function findHexLines(file: DumpFile, tools: DumpTools, offset: number): HexLine[] | undefined {
  const reader = new SegmentReader(tools.core, file.path);
  try {
    for (const batch of reader.batches()) {
      if (batch.lastOffset < offset) continue;
      if (batch.baseOffset > offset) return undefined;
      const records = batch.codec === 0 ? [] : decodeBatch(reader, batch, tools);
      return annotateBatch(reader.read(batch.position, batch.bytes), batch.position, records);
    }
    return undefined;
  } finally {
    reader.close();
  }
}

function printHex(shell: Shell, lines: readonly HexLine[]): Promise<void> {
  const columns: readonly Column[] = [
    { key: "position", align: "right" },
    { key: "hex", align: "left" },
    { key: "field" },
    { key: "value", align: "left" },
    { key: "note" },
  ];
  return printRows(
    shell,
    columns,
    lines.map((line) => ({ ...line })),
  );
}
