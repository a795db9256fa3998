// Format strings (`-f`): kcat's letters, and braces for what kcat's users lack. This file owns the syntax;
// `format-write.ts` turns a parsed format into output, `format-read.ts` into a reader of input.
//
//   %t topic  %p partition  %o offset  %k key  %s value  %h headers  %T timestamp  %K %S lengths of key and value
//   %R length of the value as 4 bytes  %e leader epoch  %a attributes  %] end offset  %% percent
//   \n \r \t \0 \\ \xNN
//   %T{iso}  %T{%F %T}  %k{hex} %s{base64} %s{json} %s{json .a.b}  %h{%k=%v,}  %a{codec}

import { usageError } from "./exit.ts";

export type FormatField =
  | "topic"
  | "partition"
  | "offset"
  | "key"
  | "value"
  | "headers"
  | "timestamp"
  | "keyLength"
  | "valueLength"
  | "valueLengthBytes"
  | "leaderEpoch"
  | "attributes"
  | "endOffset";

/** Between braces; absent for the plain letter. */
export type FormatMode =
  | { readonly kind: "hex" | "base64" | "json" | "iso" | "codec" }
  | { readonly kind: "jsonPath"; readonly path: string }
  | { readonly kind: "strftime"; readonly pattern: string }
  | {
      readonly kind: "headers";
      readonly parts: readonly HeaderPart[];
      readonly separator: Uint8Array;
    };

export type HeaderPart =
  | { readonly kind: "literal"; readonly bytes: Uint8Array }
  | { readonly kind: "name" | "value" };

export type FormatPart =
  | { readonly kind: "literal"; readonly bytes: Uint8Array }
  | { readonly kind: "field"; readonly field: FormatField; readonly mode: FormatMode | null };

const LETTERS: Readonly<Record<string, FormatField>> = {
  t: "topic",
  p: "partition",
  o: "offset",
  k: "key",
  s: "value",
  h: "headers",
  T: "timestamp",
  K: "keyLength",
  S: "valueLength",
  R: "valueLengthBytes",
  e: "leaderEpoch",
  a: "attributes",
  "]": "endOffset",
};

const ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  r: 13,
  t: 9,
  "0": 0,
  "\\": 92,
};

const utf8 = new TextEncoder();

/** Throws a usage error that names the place. Neighbouring literals are one part. */
export function parseFormat(format: string): FormatPart[] {
  const parts: FormatPart[] = [];
  let literal: number[] = [];
  const endLiteral = () => {
    if (literal.length > 0) parts.push({ kind: "literal", bytes: Uint8Array.from(literal) });
    literal = [];
  };
  for (let at = 0; at < format.length; ) {
    if (format[at] !== "%" || format[at + 1] === "%") {
      const piece = format[at] === "%" ? { bytes: [0x25], next: at + 2 } : readLiteral(format, at);
      literal.push(...piece.bytes);
      at = piece.next;
      continue;
    }
    const letter = format[at + 1] ?? "";
    const field = LETTERS[letter];
    if (!field) throw unknownLetter(format, letter, at);
    endLiteral();
    const braces = format[at + 2] === "{" ? readBraces(format, at + 2) : null;
    parts.push({
      kind: "field",
      field,
      mode: braces === null ? null : parseMode(letter, field, braces.text),
    });
    at = braces === null ? at + 2 : braces.next;
  }
  endLiteral();
  return parts;
}

/** `\n`, `\xNN` and the like in delimiters: `-D '\x00'`. */
export function parseEscapes(text: string): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; ) {
    const piece = readLiteral(text, at);
    bytes.push(...piece.bytes);
    at = piece.next;
  }
  return Uint8Array.from(bytes);
}

function readLiteral(text: string, at: number): { bytes: number[]; next: number } {
  if (text[at] !== "\\") {
    const char = String.fromCodePoint(text.codePointAt(at) as number);
    return { bytes: [...utf8.encode(char)], next: at + char.length };
  }
  const letter = text[at + 1] ?? "";
  const hex = letter === "x" ? /^[0-9a-fA-F]{2}/.exec(text.slice(at + 2))?.[0] : undefined;
  if (hex !== undefined) return { bytes: [Number.parseInt(hex, 16)], next: at + 4 };
  const byte = ESCAPES[letter];
  if (byte !== undefined) return { bytes: [byte], next: at + 2 };
  throw usageError(
    `"\\${letter}" at ${at + 1} in "${text}" is not known`,
    "known: \\n \\r \\t \\0 \\\\ and \\xNN with two hex digits",
  );
}

function readBraces(format: string, open: number): { text: string; next: number } {
  const close = format.indexOf("}", open);
  if (close < 0) {
    throw usageError(
      `-f: "{" at ${open + 1} in "${format}" is not closed`,
      "a literal { after a letter is \\x7b",
    );
  }
  return { text: format.slice(open + 1, close), next: close + 1 };
}

function unknownLetter(format: string, letter: string, at: number): Error {
  return usageError(
    `-f: "%${letter}" at ${at + 1} in "${format}" is not known`,
    "known: %t %p %o %k %s %h %T %K %S %R %e %a %] and %% for a percent sign",
  );
}

function parseMode(letter: string, field: FormatField, text: string): FormatMode {
  const mode = modeOf(field, text);
  if (mode) return mode;
  throw usageError(
    `-f: "%${letter}{${text}}" is not known`,
    "known: %T{iso} %T{%F %T} %k{hex} %s{base64} %s{json} %s{json .a.b} %h{%k=%v,} %a{codec}",
    "a literal { after a letter is \\x7b",
  );
}

function modeOf(field: FormatField, text: string): FormatMode | undefined {
  if (field === "key" || field === "value") {
    if (text === "hex" || text === "base64" || text === "json") return { kind: text };
    if (text.startsWith("json ")) return { kind: "jsonPath", path: text.slice(5).trim() };
  }
  if (field === "timestamp") {
    if (text === "iso") return { kind: "iso" };
    if (text.includes("%")) return { kind: "strftime", pattern: text };
  }
  if (field === "attributes" && text === "codec") return { kind: "codec" };
  if (field === "headers" && text.includes("%")) return parseHeaderMode(text);
  return undefined;
}

/** What stands after the last letter separates headers; it is not written after the last one. */
function parseHeaderMode(text: string): FormatMode {
  const parts: HeaderPart[] = [];
  let literal: number[] = [];
  for (let at = 0; at < text.length; ) {
    const letter = text[at] === "%" ? text[at + 1] : undefined;
    if (letter === "k" || letter === "v") {
      if (literal.length > 0) parts.push({ kind: "literal", bytes: Uint8Array.from(literal) });
      literal = [];
      parts.push({ kind: letter === "k" ? "name" : "value" });
      at += 2;
    } else if (letter === undefined || letter === "%") {
      const piece = letter === "%" ? { bytes: [0x25], next: at + 2 } : readLiteral(text, at);
      literal.push(...piece.bytes);
      at = piece.next;
    } else {
      throw usageError(`-f: "%${letter}" in "%h{${text}}" is not known`, "known there: %k and %v");
    }
  }
  return { kind: "headers", parts, separator: Uint8Array.from(literal) };
}
