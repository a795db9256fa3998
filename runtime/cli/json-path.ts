// JsonFinder: one field of a JSON text, found by walking bytes instead of parsing, so that keys and times of
// millions of JSON lines cost little and the line itself stays untouched. Paths: `.a.b`, `.list[2]`, `."a b"`.

import { usageError } from "./exit.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const DEPTH_MAX = 64;
const utf8 = new TextEncoder();
const text = new TextDecoder();

export type JsonPath = readonly (Uint8Array | number)[];

/** true, false, null. */
const WORDS = ["true", "false", "null"].map((word) => utf8.encode(word));

/** "found": `start..end` is the value's JSON text. */
export type JsonFound = "found" | "missing" | "malformed";

/** `.a.b[2]."c d"`; a leading dot may be left out; `.` alone is the whole text. */
export function parseJsonPath(path: string): JsonPath {
  const steps: (Uint8Array | number)[] = [];
  let rest = path.trim();
  if (rest === ".") return steps;
  if (!rest.startsWith(".") && !rest.startsWith("[")) rest = `.${rest}`;
  while (rest !== "") {
    const match = /^(?:\."((?:[^"\\]|\\.)+)"|\.([^.[\]"]+)|\[(\d{1,9})\])/.exec(rest);
    if (!match || steps.length === DEPTH_MAX) {
      throw usageError(
        `JSON path "${path}" is not understood`,
        'write it as .a.b, .list[0] or ."a name"',
      );
    }
    const name = match[1] === undefined ? match[2] : (JSON.parse(`"${match[1]}"`) as string);
    steps.push(name === undefined ? Number(match[3]) : utf8.encode(name));
    rest = rest.slice(match[0].length);
  }
  return steps;
}

export class JsonFinder {
  readonly #path: JsonPath;
  #json: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Of the value last found. */
  start = 0;
  end = 0;

  constructor(path: JsonPath) {
    this.#path = path;
  }

  find(json: Uint8Array): JsonFound {
    this.#json = json;
    this.#at = 0;
    for (const step of this.#path) {
      const found = typeof step === "number" ? this.#enterArray(step) : this.#enterObject(step);
      if (found !== "found") return found;
    }
    this.#skipSpace();
    this.start = this.#at;
    if (!this.#skipValue()) return "malformed";
    this.end = this.#at;
    return "found";
  }

  /** The found value as bytes: a string's content, null for `null`, any other value's JSON text. */
  bytes(): Uint8Array | null {
    const json = this.#json;
    if (json[this.start] !== QUOTE) {
      const isNull = this.end - this.start === 4 && json[this.start] === 0x6e;
      return isNull ? null : json.subarray(this.start, this.end);
    }
    const content = json.subarray(this.start + 1, this.end - 1);
    if (!content.includes(BACKSLASH)) return content;
    return utf8.encode(unescapeJson(content) ?? text.decode(content));
  }

  /** Goes to the value of `name` in the object that begins here. */
  #enterObject(name: Uint8Array): JsonFound {
    if (!this.#skipChar(OPEN_BRACE)) return this.#notContainer();
    if (this.#skipChar(CLOSE_BRACE)) return "missing";
    for (;;) {
      this.#skipSpace();
      const start = this.#at;
      if (!this.#skipString()) return "malformed";
      const isWanted = this.#isName(name, start + 1, this.#at - 1);
      if (!this.#skipChar(COLON)) return "malformed";
      if (isWanted) return "found";
      this.#skipSpace();
      if (!this.#skipValue()) return "malformed";
      if (this.#skipChar(COMMA)) continue;
      return this.#skipChar(CLOSE_BRACE) ? "missing" : "malformed";
    }
  }

  #enterArray(index: number): JsonFound {
    if (!this.#skipChar(OPEN_BRACKET)) return this.#notContainer();
    if (this.#skipChar(CLOSE_BRACKET)) return "missing";
    for (let i = 0; i < index; i++) {
      this.#skipSpace();
      if (!this.#skipValue()) return "malformed";
      if (this.#skipChar(COMMA)) continue;
      return this.#skipChar(CLOSE_BRACKET) ? "missing" : "malformed";
    }
    return "found";
  }

  /** A valid value of another kind has no such field. */
  #notContainer(): JsonFound {
    this.#skipSpace();
    return this.#skipValue() ? "missing" : "malformed";
  }

  #isName(name: Uint8Array, start: number, end: number): boolean {
    const json = this.#json;
    if (end - start !== name.length) {
      const raw = json.subarray(start, end);
      if (end - start < name.length || !raw.includes(BACKSLASH)) return false;
      const decoded = utf8.encode(unescapeJson(raw));
      return decoded.length === name.length && decoded.every((byte, i) => byte === name[i]);
    }
    for (let i = 0; i < name.length; i++) if (json[start + i] !== name[i]) return false;
    return true;
  }

  #skipSpace(): void {
    const json = this.#json;
    let at = this.#at;
    for (;;) {
      const byte = json[at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
      at++;
    }
    this.#at = at;
  }

  #skipChar(char: number): boolean {
    this.#skipSpace();
    if (this.#json[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #skipString(): boolean {
    const json = this.#json;
    let at = this.#at;
    if (json[at] !== QUOTE) return false;
    for (at++; at < json.length; at++) {
      const byte = json[at];
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) {
        this.#at = at + 1;
        return true;
      }
    }
    return false;
  }

  #skipValue(): boolean {
    const first = this.#json[this.#at];
    if (first === QUOTE) return this.#skipString();
    if (first === OPEN_BRACE || first === OPEN_BRACKET) return this.#skipContainer();
    return this.#skipScalar();
  }

  /** Counts brackets, stepping over strings; does not check what stands between them. */
  #skipContainer(): boolean {
    const json = this.#json;
    let depth = 0;
    while (this.#at < json.length) {
      const byte = json[this.#at];
      if (byte === QUOTE) {
        if (!this.#skipString()) return false;
        continue;
      }
      this.#at++;
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
      else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return true;
    }
    return false;
  }

  #skipScalar(): boolean {
    const first = this.#json[this.#at];
    const word = WORDS.find((bytes) => bytes[0] === first);
    return word ? this.#skipWord(word) : this.#skipNumber();
  }

  #skipWord(word: Uint8Array): boolean {
    for (let i = 0; i < word.length; i++) if (this.#json[this.#at + i] !== word[i]) return false;
    this.#at += word.length;
    return true;
  }

  /** Digits, sign, dot, exponent; their order is not checked. */
  #skipNumber(): boolean {
    const json = this.#json;
    const start = this.#at;
    let at = start;
    for (; at < json.length; at++) {
      const byte = json[at] as number;
      const isDigit = byte >= 0x30 && byte <= 0x39;
      const isSign = byte === 0x2d || byte === 0x2b || byte === 0x2e;
      if (!isDigit && !isSign && byte !== 0x65 && byte !== 0x45) break;
    }
    this.#at = at;
    return at > start;
  }
}

/** Content of a JSON string; undefined if its escapes are wrong. */
function unescapeJson(content: Uint8Array): string | undefined {
  try {
    return JSON.parse(`"${text.decode(content)}"`) as string;
  } catch {
    return undefined;
  }
}
