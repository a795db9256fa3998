// Points in time as requests write them.

const isoTime =
  /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** ms since 1970 (digits) or ISO 8601, without a zone UTC. Null for anything else. */
export function parseTime(text: string): number | null {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const match = isoTime.exec(text);
  if (match === null) return null;
  const zoned = match[1] === undefined && text.length > 10 ? `${text}Z` : text;
  const timeMs = Date.parse(zoned.replace(" ", "T"));
  return Number.isNaN(timeMs) ? null : timeMs;
}
