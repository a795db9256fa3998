// Rows to stdout in the shape that -o asks for. One list of columns serves all: tables show titles and formatted
// cells, json, ndjson and csv show keys and raw values. Keys are a contract: never renamed.

import type { Shell } from "./shell.ts";

/** Rows of a streamed table that share their widths. */
const BLOCK_ROWS = 1000;

export type CellValue = string | number | boolean | null | readonly (string | number)[];
export type Row = Readonly<Record<string, CellValue | undefined>>;

export interface Column {
  readonly key: string;
  readonly title?: string;
  /** Numbers stand right by default. */
  readonly align?: "left" | "right";
  /** Only in `-o wide` (and in the machine formats). */
  readonly isWide?: boolean;
  /** For people, e.g. `1.2 MiB`; machines get the value. */
  readonly show?: (value: CellValue, row: Row) => string;
}

/** Writes a finished list: a table, one JSON array, lines, or CSV. */
export async function printRows(
  shell: Shell,
  columns: readonly Column[],
  rows: readonly Row[],
): Promise<void> {
  switch (shell.output) {
    case "json":
      return shell.write(
        `${JSON.stringify(
          rows.map((row) => pick(columns, row)),
          null,
          2,
        )}\n`,
      );
    case "ndjson":
      return shell.write(rows.map((row) => `${JSON.stringify(pick(columns, row))}\n`).join(""));
    case "csv":
      return shell.write(toCsv(columns, rows));
    default:
      return shell.write(await toTable(shell, columns, rows));
  }
}

/** Rows as they come, without keeping them all. A table is written in blocks, each with its own widths. */
export class RowStream {
  readonly #shell: Shell;
  readonly #columns: readonly Column[];
  #rows: Row[] = [];
  #written = 0;

  constructor(shell: Shell, columns: readonly Column[]) {
    this.#shell = shell;
    this.#columns = columns;
  }

  /** Awaited only when a block is full. */
  add(row: Row): Promise<void> | undefined {
    this.#rows.push(row);
    return this.#rows.length >= BLOCK_ROWS ? this.#flush() : undefined;
  }

  /** Writes what is gathered; at the end at the latest. */
  async flush(): Promise<void> {
    if (this.#rows.length > 0) await this.#flush();
  }

  async #flush(): Promise<void> {
    const rows = this.#rows;
    this.#rows = [];
    if (this.#shell.output === "csv" && this.#written > 0) {
      await this.#shell.write(toCsv(this.#columns, rows, false));
    } else {
      await printRows(this.#shell, this.#columns, rows);
    }
    this.#written += rows.length;
  }
}

/** One thing with many fields: names and values below each other; in machine formats one object. */
export async function printFields(
  shell: Shell,
  fields: readonly (Column & { value: CellValue })[],
): Promise<void> {
  const row: Row = Object.fromEntries(fields.map((field) => [field.key, field.value]));
  if (shell.output !== "table" && shell.output !== "wide") {
    if (shell.output === "json") return shell.write(`${JSON.stringify(row, null, 2)}\n`);
    return printRows(shell, fields, [row]);
  }
  const { default: stringWidth } = await import("string-width");
  const titles = fields.map((field) => field.title ?? field.key);
  const width = Math.max(0, ...titles.map((title) => stringWidth(title)));
  const lines = fields.map((field, i) => {
    const title = titles[i] as string;
    return `${shell.paint.dim(title + " ".repeat(width - stringWidth(title)))}  ${cellText(field, field.value, row)}\n`;
  });
  await shell.write(lines.join(""));
}

/** RFC 4180, with a header line. */
export function toCsv(columns: readonly Column[], rows: readonly Row[], hasHeader = true): string {
  const lines = hasHeader ? [columns.map((column) => csvCell(column.key))] : [];
  for (const row of rows) lines.push(columns.map((column) => csvCell(row[column.key] ?? null)));
  return lines.map((cells) => `${cells.join(",")}\r\n`).join("");
}

function csvCell(value: CellValue): string {
  const text = value === null ? "" : Array.isArray(value) ? value.join(" ") : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Columns as wide as their widest cell in terminal columns: Korean and emoji line up. */
export async function toTable(
  shell: Pick<Shell, "paint" | "output">,
  columns: readonly Column[],
  rows: readonly Row[],
): Promise<string> {
  const { default: stringWidth } = await import("string-width");
  const shown = columns.filter((column) => shell.output === "wide" || !column.isWide);
  const head = shown.map((column) => (column.title ?? column.key).toUpperCase());
  const body = rows.map((row) =>
    shown.map((column) => cellText(column, row[column.key] ?? null, row)),
  );
  const widths = shown.map((_, i) =>
    Math.max(
      stringWidth(head[i] as string),
      ...body.map((cells) => stringWidth(cells[i] as string)),
    ),
  );
  const isRight = shown.map((column) => {
    if (column.align) return column.align === "right";
    return rows.length > 0 && rows.every((row) => typeof (row[column.key] ?? 0) === "number");
  });
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => {
        const space = " ".repeat((widths[i] as number) - stringWidth(cell));
        if (isRight[i]) return space + cell;
        return i === cells.length - 1 ? cell : cell + space;
      })
      .join("  ");
  return [shell.paint.bold(line(head)), ...body.map(line)].map((text) => `${text}\n`).join("");
}

function cellText(column: Column, value: CellValue, row: Row): string {
  if (column.show) return column.show(value, row);
  if (value === null) return "-";
  const text = Array.isArray(value) ? value.join(",") : String(value);
  // One row is one line, whatever a name or a value holds.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "�");
}

function pick(columns: readonly Column[], row: Row): Row {
  return Object.fromEntries(columns.map((column) => [column.key, row[column.key] ?? null]));
}

/** `1234567` → `1.2 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || Math.abs(value) >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** "1 record", "1,000 records". */
export function formatCounted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** `1234567` → `1,234,567`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}
