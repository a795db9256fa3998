// JSON as text, for values that are stored as JSON: their own characters without the white space between
// them, so that numbers keep all their digits (JSON.parse would round 12345678901234567890). Only ever given
// text that JSON.parse has accepted.

const quote = 0x22;
const backslash = 0x5c;

/** `text` without white space outside strings. */
export function compactJson(text: string): string {
  let out = "";
  let from = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === quote) at = stringEnd(text, at);
    else if (isSpace(code)) {
      out += text.slice(from, at);
      at = skipSpace(text, at);
      from = at;
    } else at++;
  }
  return from === 0 ? text : out + text.slice(from);
}

/** The source text of each member of an object, by name; the last of equal names wins, as in JSON.parse. */
export type MemberTexts = ReadonlyMap<string, string>;

/**
 * The members' texts of one record's object, of each object of an array, or of each object of the array
 * `{"records":[…]}`, in order. Elements that are no objects have no members.
 */
export function recordTexts(text: string): MemberTexts[] {
  const start = skipSpace(text, 0);
  if (text[start] === "[") return elementTexts(text, start).map(memberTexts);
  const members = memberTexts(text.slice(start));
  const records = members.get("records");
  if (records === undefined || members.has("value")) return [members];
  return elementTexts(records, 0).map(memberTexts);
}

/** The source text of each element of an array. */
export function elementsOf(text: string): string[] {
  return elementTexts(text, skipSpace(text, 0));
}

function memberTexts(text: string): MemberTexts {
  const members = new Map<string, string>();
  if (text[0] !== "{") return members;
  let at = skipSpace(text, 1);
  while (text[at] === '"') {
    const nameEnd = stringEnd(text, at);
    const name = JSON.parse(text.slice(at, nameEnd)) as string;
    const valueAt = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const valueEnd = endOfValue(text, valueAt);
    members.set(name, text.slice(valueAt, valueEnd));
    at = skipSpace(text, valueEnd);
    if (text[at] === ",") at = skipSpace(text, at + 1);
  }
  return members;
}

function elementTexts(text: string, start: number): string[] {
  const elements: string[] = [];
  let at = skipSpace(text, start + 1);
  while (at < text.length && text[at] !== "]") {
    const end = endOfValue(text, at);
    elements.push(text.slice(at, end));
    at = skipSpace(text, end);
    if (text[at] === ",") at = skipSpace(text, at + 1);
  }
  return elements;
}

/** After the value that starts at `at`. */
function endOfValue(text: string, at: number): number {
  let depth = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = stringEnd(text, at);
      if (depth === 0) return at;
      continue;
    }
    if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) {
      // A closing bracket at depth 0 is the parent's: a number or word ended here.
      if (depth === 0) return at;
      depth--;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (code === 0x2c || isSpace(code))) return at;
    at++;
  }
  return at;
}

/** After the closing quote of the string that opens at `at`. */
function stringEnd(text: string, at: number): number {
  for (let end = at; ; ) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
    let escapes = end - 1;
    while (text.charCodeAt(escapes) === backslash) escapes--;
    if ((end - escapes) % 2 === 1) return end + 1;
  }
}

function skipSpace(text: string, at: number): number {
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
