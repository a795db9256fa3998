// Compares what a command printed with what a page shows. What differs from run to run may differ here too:
// times, ids, durations, and whatever the page leaves out with an ellipsis.

/** Ids and times as pages and commands write them. Each is compared by kind, not by value. */
const VARYING: readonly (readonly [pattern: RegExp, kind: string])[] = [
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>"],
  [/\b1[78]\d{11}\b/g, "<ms>"],
  [/(?<![\w-])[\w-]{22}(?![\w-])/g, "<id>"],
  [/\b\d+(\.\d+)?(ms|s)\b/g, "<duration>"],
];

/** Undefined when `actual` is what `shown` promises, else the first line that is not, for people. */
export function differenceOf(shown: string, actual: string): string | undefined {
  const promised = linesOf(shown);
  const printed = linesOf(actual);
  let at = 0;
  let mayGap = false;
  for (const line of promised) {
    if (line.trim() === "…") {
      mayGap = true;
      continue;
    }
    const found = mayGap
      ? printed.findIndex((other, index) => index >= at && isShown(line, other))
      : at;
    if (found < 0 || printed[found] === undefined || !isShown(line, printed[found])) {
      return `shown:   ${line}\nprinted: ${printed[at] ?? "nothing more"}\n\nin all:\n${actual}`;
    }
    at = found + 1;
    mayGap = false;
  }
  if (at === printed.length || mayGap) return undefined;
  return `not shown: ${printed[at]}\n\nin all:\n${actual}`;
}

/** An ellipsis inside a line stands for any text. Runs of blanks are one: columns move with what varies. */
function isShown(shown: string, printed: string): boolean {
  if (!shown.includes("…")) return normal(shown) === normal(printed);
  const parts = normal(shown)
    .split("…")
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(normal(printed));
}

function normal(line: string): string {
  let text = line.replaceAll(/\s+/g, " ").trim();
  for (const [pattern, kind] of VARYING) text = text.replaceAll(pattern, kind);
  return text;
}

function linesOf(text: string): string[] {
  return text.trimEnd().split("\n");
}
