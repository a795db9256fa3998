// Byte helpers of the Kafka door's tests.

import type { Writer } from "../../../runtime/kafka/writer.ts";

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Spaces are ignored. */
export function unhex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, "");
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Everything a writer holds; records must be in memory. */
export function joined(writer: Writer): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const chunk of writer.chunks()) {
    if (chunk instanceof Uint8Array) pieces.push(chunk);
    else for (const part of chunk.parts) if (part instanceof Uint8Array) pieces.push(part);
  }
  return concat(pieces);
}
