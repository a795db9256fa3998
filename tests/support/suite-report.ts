// What a run of the suite prints: one line per file as it ends, the whole output of a file that failed, and
// the two closing lines, of which `N passed, N failed` is the last.

/** Starts a line from the child to the runner; no test prints it by accident. */
export const mark = "\u001e";

/** Starts a line that is shown also of a file that passed: for cases that are to be read by name. */
export const LISTED = "listed: ";

/** What the child says between its tests' output. */
export type Report =
  | { readonly event: "start"; readonly file: string }
  | {
      readonly event: "done";
      readonly file: string;
      readonly passed: number;
      readonly failed: number;
    };

export interface FileResult {
  readonly path: string;
  readonly passed: number;
  readonly failed: number;
  readonly elapsedMs: number;
  /** All the file printed, and why it was ended if it was. */
  readonly output: string;
}

/** Tests that need a tool which is not here print this line themselves: see `missing-tool.ts`. */
const SKIPPED = /^skipped: (.+)$/gm;

/** Whether a file left tests out because a tool is not here. */
export function saysMissing(output: string): boolean {
  return output.match(SKIPPED) !== null;
}

export function progressLine(result: FileResult, position: string): string {
  const seconds = (result.elapsedMs / 1000).toFixed(1);
  const counts = result.failed > 0 ? `${result.failed} FAILED` : `${result.passed} passed`;
  const line = `[${position}] ${result.path}  ${counts}  ${seconds} s\n`;
  if (result.failed > 0) return `${line}${result.output.trim()}\n`;
  const listed = result.output.split("\n").filter((each) => each.startsWith(LISTED));
  return line + listed.map((each) => `  ${each.slice(LISTED.length)}\n`).join("");
}

export function lastLines(results: readonly FileResult[]): string[] {
  const skipped = new Set<string>();
  for (const result of results) {
    for (const [, names = ""] of result.output.matchAll(SKIPPED)) skipped.add(names);
  }
  const broken = results.filter((result) => result.failed > 0).map((result) => result.path);
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  const lines: string[] = [];
  if (broken.length > 0) lines.push(`failed in: ${broken.sort().join(", ")}`);
  if (skipped.size > 0) lines.push(`skipped: ${[...skipped].sort().join(", ")}`);
  lines.push(`${passed} passed, ${failed} failed`);
  return lines;
}
